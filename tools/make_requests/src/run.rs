//! One run: look at the service, fire, look again.

use std::sync::Arc;

use crate::burst::Burst;
use crate::error::Error;
use crate::plan::{Pace, Plan};
use crate::poster::Poster;
use crate::report::Report;
use crate::service::Service;
use crate::spaced;
use crate::volley::{Progress, Volley};

/// Fires the plan's requests, and reports what became of them.
///
/// # Errors
///
/// Nothing was fired. What goes wrong after the first request is part of the report.
pub async fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let service = Service::new(&plan.base_url, plan.timeout)?;
    let auditor = plan.target.race().look(&service).await?;
    progress(Progress::Probed);

    let poster = Poster::new(plan, service, Arc::clone(&auditor));
    let Volley { answers, releases } = match plan.pace {
        Pace::Together => {
            let burst = Burst::prepare(plan).await?;
            progress(Progress::Warm);
            burst.fire(&poster, &mut progress).await
        }
        Pace::Every(wait) => spaced::fire(&poster, wait, &mut progress).await,
    };

    let evidence = auditor.finish(&answers).await;
    Ok(Report {
        plan: plan.clone(),
        answers,
        releases,
        evidence,
    })
}
