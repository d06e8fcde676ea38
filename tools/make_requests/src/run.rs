//! One run: look at the service, fire, look again.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::base_url::BaseUrl;
use crate::burst::Burst;
use crate::error::Error;
use crate::key::Keys;
use crate::plan::{Pace, Plan};
use crate::poster::{Instances, Poster};
use crate::report::{Moment, Report};
use crate::service::Service;
use crate::spaced;
use crate::volley::{Progress, Stop, Volley};

/// Fires the plan's requests, and reports what became of them.
///
/// # Errors
///
/// Nothing was fired. What goes wrong after the first request is part of the report.
pub async fn run(plan: &Plan, progress: impl FnMut(Progress)) -> Result<Report, Error> {
    Run::of(plan).start(progress).await
}

/// A run with more to say about it than its plan.
#[derive(Debug)]
pub struct Run<'p> {
    plan: &'p Plan,
    instances: Instances,
    stop: Stop,
}

impl<'p> Run<'p> {
    /// A run as planned.
    #[must_use]
    pub fn of(plan: &'p Plan) -> Self {
        Self {
            plan,
            instances: Instances::new(&plan.base_url, Vec::new()),
            stop: Stop::never(),
        }
    }

    /// Lets the requests go to further instances of the service as well, in turn. All have the same
    /// database. The plan's own is the one that is audited.
    #[must_use]
    pub fn among(self, further: Vec<BaseUrl>) -> Self {
        Self {
            instances: Instances::new(&self.plan.base_url, further),
            ..self
        }
    }

    /// Releases no further request once `stop` is done. Then the answers to those under way are
    /// waited for a little longer.
    #[must_use]
    pub fn until(self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            stop: Stop::when(stop),
            ..self
        }
    }

    /// Fires the requests, and reports what became of them.
    ///
    /// # Errors
    ///
    /// Nothing was fired. What goes wrong after the first request is part of the report.
    pub async fn start(self, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
        let Self {
            plan,
            instances,
            stop,
        } = self;
        let service = Service::new(&plan.base_url, plan.timeout)?;
        let keys = Keys::of_a_new_run();
        let auditor = plan.target.race().look(&service, keys).await?;
        progress(Progress::Probed);

        let poster = Poster::new(plan, &instances, service, keys, Arc::clone(&auditor));
        let moment = Moment {
            instant: Instant::now(),
            time: SystemTime::now(),
        };
        let Volley { answers, releases } = match plan.pace {
            Pace::Together => {
                let burst = Burst::prepare(plan, &instances).await?;
                progress(Progress::Warm);
                burst.fire(&poster, stop, &mut progress).await
            }
            Pace::Every(wait) => spaced::fire(&poster, wait, stop, &mut progress).await,
        };

        let evidence = auditor.finish(&answers).await;
        Ok(Report {
            plan: plan.clone(),
            moment,
            answers,
            releases,
            evidence,
        })
    }
}
