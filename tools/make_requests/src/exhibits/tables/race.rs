//! Appends to a table as an exhibit.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::attempts::Attempts;
use super::audit::TableAudit;
use super::evidence::TableEvidence;
use super::parameters::Appends;
use super::receipt::Appended;
use super::records::OwnRecords;
use crate::answers::Answers;
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::Error;
use crate::fields::Fields;
use crate::invalid::Invalid;
use crate::key::Keys;
use crate::race::{Auditor, Evidence, Exhibit, Pending, Race, Target};
use crate::receipt::Receipt;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::table_name::{PartitionName, TableName};
use crate::verdict::Trace;

/// Tables.
pub(crate) static EXHIBIT: Exhibit = Exhibit {
    prefix: Some("tables"),
    route: "tables",
    options: &["--table", "--partition"],
    target: |strategy, options| {
        must_append(&strategy)?;
        let appends = Appends {
            strategy,
            table: options.table.clone(),
            partition: options.partition.clone(),
        };
        Ok(appends.into())
    },
    csv_columns: ["version", "snapshot"],
    product: "append",
    incident: "a lost append",
    incident_caption: "which made the same version of the table",
    while_in_doubt: "The table may still change.",
    trace: Trace {
        missing: "appends left no record",
        place: "table",
    },
};

/// Refuses the ways to read a table: they are asked for with GET.
fn must_append(strategy: &Strategy) -> Result<(), Invalid> {
    let name = strategy.to_string();
    if name != "read_snapshot" && name != "read_latest_twice" {
        return Ok(());
    }
    Err(Invalid(format!(
        "tables/{name} reads a table, and this tool races appends: name a strategy that appends, \
         such as tables/exclusive_create; a table is read by GET \
         /tables/TABLE/records?reader={name}"
    )))
}

impl From<Appends> for Target {
    fn from(appends: Appends) -> Self {
        Self::new(AppendRace {
            strategy: appends.strategy,
            is_alone: appends.table.is_none(),
            table: appends.table.unwrap_or_else(TableName::fresh),
            partition: appends.partition,
        })
    }
}

/// Appends, and the table that they go to.
#[derive(Debug)]
struct AppendRace {
    strategy: Strategy,
    table: TableName,
    /// Whether the table was made up for this race, so that no other client knows it.
    is_alone: bool,
    partition: Option<PartitionName>,
}

impl Race for AppendRace {
    fn exhibit(&self) -> &'static Exhibit {
        &EXHIBIT
    }

    fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    fn probe_url(&self, base_url: &BaseUrl) -> Url {
        TableAudit::probe_url(base_url)
    }

    /// A partition has a meaning for some strategies only, and the others take it too.
    fn body(&self, request: u32, keys: Keys) -> Body {
        let own = || PartitionName::of_request(request);
        let partition = self.partition.clone().unwrap_or_else(own);
        Body::json(&json!({
            "table": self.table.as_str(),
            "partition": partition.as_str(),
            "key": keys.of(request),
            "value": request,
        }))
    }

    fn receipt(&self, body: &[u8]) -> Option<Receipt> {
        Receipt::read::<Appended>(body)
    }

    fn purpose(&self) -> String {
        match &self.partition {
            Some(partition) => format!("to partition {partition} of table {}", self.table),
            None => format!("to table {}", self.table),
        }
    }

    fn fields(&self) -> Fields {
        let partition = self.partition.as_ref().map(PartitionName::as_str);
        Fields::default()
            .text("table", Some(self.table.as_str()))
            .text("partition", partition)
    }

    fn look<'a>(
        &'a self,
        service: &'a Service,
        keys: Keys,
    ) -> Pending<'a, Result<Arc<dyn Auditor>, Error>> {
        Box::pin(async move {
            let url = TableAudit::probe_url(&service.base_url);
            let _: TableNames = service.get(&url, "the names of the tables").await?;
            let before = TableAudit::read(service, &self.table).await?;
            let auditor: Arc<dyn Auditor> = Arc::new(TableAuditor {
                service: service.clone(),
                table: self.table.clone(),
                keys,
                is_alone: self.is_alone && before.is_none(),
                before: before.unwrap_or_default(),
            });
            Ok(auditor)
        })
    }
}

/// The tables of a service. Their names are not needed.
#[derive(Debug, Deserialize)]
struct TableNames {
    #[serde(rename = "tables")]
    _names: Vec<IgnoredAny>,
}

#[derive(Debug)]
struct TableAuditor {
    service: Service,
    table: TableName,
    keys: Keys,
    is_alone: bool,
    before: TableAudit,
}

impl Auditor for TableAuditor {
    fn finish<'a>(&'a self, answers: &'a Answers) -> Pending<'a, Box<dyn Evidence>> {
        Box::pin(async move {
            let (service, table) = (&self.service, &self.table);
            let audit = TableAudit::read(service, table).await;
            // A table that was never made has none of the records.
            let own = if let Ok(None) = audit {
                Ok(OwnRecords::of(answers, self.keys, &BTreeMap::new()))
            } else {
                OwnRecords::read(service, table, self.keys, answers).await
            };
            let evidence: Box<dyn Evidence> = Box::new(TableEvidence {
                is_alone: self.is_alone,
                attempts: Attempts::of(answers),
                before: self.before.clone(),
                after: audit.map(Option::unwrap_or_default),
                own,
            });
            evidence
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::race::TargetOptions;

    fn bodies(partition: Option<&str>) -> [Value; 2] {
        let target = Target::from(Appends {
            strategy: "x".parse().unwrap(),
            table: None,
            partition: partition.map(|it| it.parse().unwrap()),
        });
        let keys = Keys::of_a_new_run();
        let body = |request| target.race().body(request, keys).text;
        [1, 2].map(|request| serde_json::from_str(&body(request)).unwrap())
    }

    #[test]
    fn each_request_has_a_key_and_a_partition_of_its_own() {
        let [one, other] = bodies(None);
        assert_eq!(one["table"], other["table"]);
        assert_ne!(one["key"], other["key"]);
        assert_eq!(one["partition"], "client-1");
        assert_eq!(other["partition"], "client-2");
        assert_eq!(other["value"], 2);
    }

    #[test]
    fn a_partition_may_be_shared() {
        for body in bodies(Some("eu")) {
            assert_eq!(body["partition"], "eu");
        }
    }

    #[test]
    fn two_targets_without_a_table_have_two() {
        let [one, other] = [bodies(None), bodies(None)];
        assert_ne!(one[0]["table"], other[0]["table"]);
        assert_ne!(one[0]["key"], other[0]["key"]);
    }

    #[test]
    fn a_way_to_read_is_no_target() {
        for name in ["read_snapshot", "read_latest_twice"] {
            let refused = (EXHIBIT.target)(name.parse().unwrap(), &TargetOptions::default());
            let complaint = refused.unwrap_err().to_string();
            let hint = format!("/tables/TABLE/records?reader={name}");
            assert!(complaint.contains(&hint), "{complaint}");
        }
    }
}
