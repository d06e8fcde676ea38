//! The heads of the strategies' files against what the explorer finds on MySQL.

use racy::engine::Isolation;
use racy::exhibits;
use racy::verdict::Verdict;

use crate::support::TestEngine;
use crate::support::explored::everything;

on_engines!(
    mysql:
        each_head_tells_the_smallest_schedule;
);

async fn each_head_tells_the_smallest_schedule(engine: TestEngine) {
    let found = everything(engine).await.iter();
    let told_of = found.filter(|it| it.engine.isolation == Isolation::RepeatableRead);
    for finding in told_of {
        let name = &finding.about.name;
        let full_name = name.split(", ").next().unwrap();
        let explanation = exhibits::specimen(full_name).unwrap().card().explanation();
        let told = match finding.simplest(Verdict::is_anomaly) {
            Some((_, shortest)) => format!("'{}'", shortest.schedule),
            None => "There is none".to_owned(),
        };
        assert!(explanation.contains(&told), "{name}: {told}");
    }
}
