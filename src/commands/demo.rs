//! `racy demo`: every strategy once, and how its requests ended.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use make_requests::trace::Trace;
use serde_json::json;

use super::database::EngineOptions;
use super::terminal::{complain, print};
use super::{CommandResult, log};
use crate::demo::{self, Platform, Selection, StrategyResult};
use crate::engine::choice::Lifetime;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the requests race for.
    #[arg(value_enum, default_value_t)]
    exhibits: Selection,

    /// Print the facts as JSON: a report with its version and one result for each strategy.
    #[arg(long)]
    json: bool,

    /// Also write all requests as a trace, which ui.perfetto.dev and chrome://tracing open.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    engine: EngineOptions,
}

impl Args {
    pub(super) async fn run(self) -> CommandResult {
        log::start_for_people()?;
        let opened = self.engine.open(Lifetime::Temporary, &complain).await?;
        complain("");
        let mut trace = Trace::default();
        let shown = demo::run(&opened.database, self.exhibits, &mut trace).await;
        let platform = Platform::of(&opened.database);
        // If a private server has died, its own error explains more than the demo's.
        opened.close().await?;
        let results = shown.map_err(|error| error.to_string())?;
        if let Some(path) = &self.trace {
            write(&trace, path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let any_broken = results.iter().any(StrategyResult::broke_its_promise);
        let text = if self.json {
            let report = json!({ "version": demo::REPORT_VERSION, "results": results });
            format!("{report:#}\n")
        } else {
            demo::text(results, &platform)
        };
        print(&text)?;
        Ok(if any_broken {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn write(trace: &Trace, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    trace.write(&mut file)?;
    file.flush()
}
