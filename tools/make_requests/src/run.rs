//! One run: look at what is raced for, fire, look again.

use crate::burst::Burst;
use crate::consumer::Consumer;
use crate::error::Error;
use crate::evidence::Before;
use crate::ordinary::Client;
use crate::plan::{Pace, Plan};
use crate::report::Report;
use crate::spaced;
use crate::volley::Progress;

/// Fires the plan's requests and reports what became of them.
///
/// # Errors
///
/// [`Error`] where nothing was fired. Whatever goes wrong later is told by the report.
pub async fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let client = Client::new(plan)?;
    let before = Before::look(&client).await?;
    progress(Progress::Probed);

    let mut consumer = Consumer::new(&client);
    let fired = match plan.pace {
        Pace::Together => {
            let burst = Burst::prepare(plan).await?;
            progress(Progress::Warm);
            burst.fire(&client, &mut consumer, &mut progress).await
        }
        Pace::Every(wait) => spaced::fire(&client, wait, &mut consumer, &mut progress).await,
    };

    let evidence = before
        .into_evidence(&client, consumer, &fired.answers)
        .await;
    Ok(Report::new(plan.clone(), evidence, fired))
}
