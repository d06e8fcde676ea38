//! The rules of what may be asked of an exploration, for every way of asking.

use std::fmt;

use clap::ValueEnum;

use super::{Client, Plan, Reduction, Schedule, Schedules};

/// What is asked of an exploration, before it is known whether the parts fit together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanRequest {
    /// How many clients run at once.
    pub clients: usize,
    /// How many instances of the service serve the clients. None explores each number that makes a
    /// difference.
    pub instances: Option<usize>,
    /// Which schedules to run. None stands for all, or for the one that is given.
    pub policy: Option<PolicyName>,
    /// What the random policy draws from.
    pub seed: Option<u64>,
    /// How many schedules the random policy draws.
    pub runs: Option<u32>,
    /// The schedule to replay, e.g. `A A B A B B`.
    pub schedule: Option<String>,
    /// The most schedules to run of each strategy.
    pub limit: Option<u64>,
    /// The most preemptions of a schedule. None if there is no bound.
    pub preemptions: Option<usize>,
    /// Whether one of the schedules that must end alike is run for all of them. None if the
    /// number of clients decides.
    pub reduction: Option<bool>,
    /// How many strategies are explored.
    pub strategies: usize,
    /// Whether several engines and levels are explored.
    pub matrix: bool,
}

/// Which schedules to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// All schedules.
    Exhaustive,
    /// Schedules that are drawn at random.
    Random,
    /// The one schedule that is given.
    Replay,
}

/// A part of a request that does not fit the others. Its text follows the name of the
/// [`field`](Self::field).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnfitRequest {
    /// A schedule without a single strategy that it belongs to.
    ScheduleOfSeveralStrategies,
    /// A schedule that cannot be read, and why.
    UnreadableSchedule(String),
    /// A policy other than replay, with a schedule.
    ScheduleWithoutReplay,
    /// A schedule for more than one engine.
    ScheduleOfMatrix,
    /// The policy replay, without a schedule.
    ReplayWithoutSchedule,
    /// A number of clients that is not allowed.
    NumberOfClients,
    /// A number of instances with which the clients of a strategy are not all alike.
    UnevenInstances {
        /// The number of clients.
        clients: usize,
    },
    /// A seed, without the policy random.
    SeedWithoutRandom,
    /// A number of runs, without the policy random.
    RunsWithoutRandom,
    /// A bound of preemptions, without the policy exhaustive.
    PreemptionsWithoutAll,
    /// A bound of preemptions, with a reduction.
    PreemptionsReduced,
    /// A reduction, or none, without the policy exhaustive.
    ReductionWithoutAll,
}

impl UnfitRequest {
    /// The name of the field that does not fit, and of the command's option.
    pub fn field(&self) -> &'static str {
        match self {
            Self::ScheduleOfSeveralStrategies
            | Self::UnreadableSchedule(_)
            | Self::ScheduleWithoutReplay
            | Self::ScheduleOfMatrix => "schedule",
            Self::ReplayWithoutSchedule => "policy",
            Self::NumberOfClients => "clients",
            Self::UnevenInstances { .. } => "instances",
            Self::SeedWithoutRandom => "seed",
            Self::RunsWithoutRandom => "runs",
            Self::PreemptionsWithoutAll | Self::PreemptionsReduced => "preemptions",
            Self::ReductionWithoutAll => "reduction",
        }
    }
}

impl fmt::Display for UnfitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScheduleOfSeveralStrategies => f.write_str("belongs to one strategy: name it"),
            Self::UnreadableSchedule(why) => write!(f, "cannot be read: {why}"),
            Self::ScheduleWithoutReplay => {
                f.write_str("needs the policy replay: leave one of them out")
            }
            Self::ScheduleOfMatrix => {
                f.write_str("is for one engine, and a matrix has several: leave one of them out")
            }
            Self::ReplayWithoutSchedule => {
                f.write_str("replay needs a schedule, e.g. 'A A B A B B'")
            }
            Self::NumberOfClients => write!(f, "must be from 1 to {}", Client::MOST),
            Self::UnevenInstances { clients } => write!(
                f,
                "is 1, or {clients} for {clients} clients: only then are all clients alike"
            ),
            Self::SeedWithoutRandom | Self::RunsWithoutRandom => {
                f.write_str("needs the policy random: add it")
            }
            Self::PreemptionsWithoutAll | Self::ReductionWithoutAll => f.write_str(
                "belongs to the policy exhaustive: leave it, or the other policy or schedule, out",
            ),
            Self::PreemptionsReduced => f.write_str(
                "needs every schedule within its bound, and a reduction leaves some out: leave one of \
                 them out",
            ),
        }
    }
}

impl std::error::Error for UnfitRequest {}

impl PlanRequest {
    /// The plan, if all parts of the request fit together.
    pub fn plan(&self) -> Result<Plan, UnfitRequest> {
        let clients = self.clients;
        if !(1..=Client::MOST).contains(&clients) {
            return Err(UnfitRequest::NumberOfClients);
        }
        if self.instances.is_some_and(|it| it != 1 && it != clients) {
            return Err(UnfitRequest::UnevenInstances { clients });
        }
        Ok(Plan {
            schedules: self.schedules()?,
            clients,
            instances: 1,
            limit: self.limit,
            counterexample_first: false,
        })
    }

    fn schedules(&self) -> Result<Schedules, UnfitRequest> {
        if let Some(schedule) = &self.schedule {
            return self.replay(schedule);
        }
        self.must_fit_the_policy()?;
        match self.policy {
            Some(PolicyName::Replay) => Err(UnfitRequest::ReplayWithoutSchedule),
            Some(PolicyName::Random) => Ok(Schedules::Sample {
                seed: self.seed.unwrap_or(1),
                runs: self.runs.unwrap_or(1000),
            }),
            None | Some(PolicyName::Exhaustive) => {
                self.must_not_sample()?;
                self.all()
            }
        }
    }

    /// All schedules, or all within a bound, or one for those that must end alike.
    fn all(&self) -> Result<Schedules, UnfitRequest> {
        match (self.preemptions, self.reduction) {
            (Some(_), Some(true)) => Err(UnfitRequest::PreemptionsReduced),
            (preemptions @ Some(_), _) | (preemptions @ None, Some(false)) => {
                Ok(Schedules::All { preemptions })
            }
            (None, Some(true)) => Ok(Schedules::Reduced(Reduction::default())),
            (None, None) => Ok(Schedules::all_of(self.clients)),
        }
    }

    /// A bound and a reduction are of all schedules.
    fn must_fit_the_policy(&self) -> Result<(), UnfitRequest> {
        let is_of_all =
            self.schedule.is_none() && matches!(self.policy, None | Some(PolicyName::Exhaustive));
        if is_of_all {
            Ok(())
        } else if self.preemptions.is_some() {
            Err(UnfitRequest::PreemptionsWithoutAll)
        } else if self.reduction.is_some() {
            Err(UnfitRequest::ReductionWithoutAll)
        } else {
            Ok(())
        }
    }

    fn replay(&self, schedule: &str) -> Result<Schedules, UnfitRequest> {
        match self.policy {
            None | Some(PolicyName::Replay) => {}
            Some(PolicyName::Exhaustive | PolicyName::Random) => {
                return Err(UnfitRequest::ScheduleWithoutReplay);
            }
        }
        if self.strategies != 1 {
            return Err(UnfitRequest::ScheduleOfSeveralStrategies);
        }
        if self.matrix {
            return Err(UnfitRequest::ScheduleOfMatrix);
        }
        self.must_not_sample()?;
        self.must_fit_the_policy()?;
        let schedule = Schedule::parse(schedule, self.clients);
        schedule
            .map(Schedules::One)
            .map_err(UnfitRequest::UnreadableSchedule)
    }

    fn must_not_sample(&self) -> Result<(), UnfitRequest> {
        if self.seed.is_some() {
            Err(UnfitRequest::SeedWithoutRandom)
        } else if self.runs.is_some() {
            Err(UnfitRequest::RunsWithoutRandom)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_clients() -> PlanRequest {
        PlanRequest {
            clients: 2,
            strategies: 1,
            ..PlanRequest::default()
        }
    }

    fn schedules(request: PlanRequest) -> Schedules {
        request.plan().unwrap().schedules
    }

    fn complaint(request: PlanRequest) -> String {
        let unfit = request.plan().unwrap_err();
        format!("{} {unfit}", unfit.field())
    }

    #[test]
    fn all_schedules_of_two_clients_are_run_without_reduction() {
        let all = |clients| {
            schedules(PlanRequest {
                clients,
                ..two_clients()
            })
        };
        assert_eq!(all(2), Schedules::All { preemptions: None });
        assert_eq!(all(3), Schedules::Reduced(Reduction::default()));
    }

    #[test]
    fn a_schedule_alone_is_replayed() {
        let replayed = schedules(PlanRequest {
            schedule: Some("A B".to_owned()),
            ..two_clients()
        });
        assert!(matches!(replayed, Schedules::One(schedule) if schedule.to_string() == "A B"));
    }

    #[test]
    fn random_schedules_are_the_same_for_the_same_seed() {
        let sample = schedules(PlanRequest {
            policy: Some(PolicyName::Random),
            ..two_clients()
        });
        assert!(matches!(
            sample,
            Schedules::Sample {
                seed: 1,
                runs: 1000
            }
        ));
    }

    #[test]
    fn a_schedule_that_does_not_fit_is_refused() {
        let schedule = || PlanRequest {
            schedule: Some("A B".to_owned()),
            ..two_clients()
        };
        for (request, why) in [
            (
                PlanRequest {
                    strategies: 0,
                    ..schedule()
                },
                "schedule belongs to one strategy",
            ),
            (
                PlanRequest {
                    policy: Some(PolicyName::Random),
                    ..schedule()
                },
                "schedule needs the policy replay",
            ),
            (
                PlanRequest {
                    matrix: true,
                    ..schedule()
                },
                "schedule is for one engine",
            ),
            (
                PlanRequest {
                    seed: Some(2),
                    ..schedule()
                },
                "seed needs the policy random",
            ),
        ] {
            let complaint = complaint(request);
            assert!(complaint.starts_with(why), "{complaint}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        for (request, why) in [
            (
                PlanRequest {
                    clients: 9,
                    ..two_clients()
                },
                "clients must be from 1 to 8",
            ),
            (
                PlanRequest {
                    clients: 3,
                    instances: Some(2),
                    ..two_clients()
                },
                "instances is 1, or 3 for 3 clients",
            ),
            (
                PlanRequest {
                    runs: Some(5),
                    ..two_clients()
                },
                "runs needs the policy random",
            ),
        ] {
            let complaint = complaint(request);
            assert!(complaint.starts_with(why), "{complaint}");
        }
    }

    #[test]
    fn a_bound_or_a_wish_beats_what_the_number_of_clients_decides() {
        let asked = |clients, preemptions, reduction| {
            schedules(PlanRequest {
                clients,
                preemptions,
                reduction,
                ..two_clients()
            })
        };
        let all = |preemptions| Schedules::All { preemptions };
        let reduced = Schedules::Reduced(Reduction::default());
        assert_eq!(asked(3, Some(2), None), all(Some(2)));
        assert_eq!(asked(3, Some(0), Some(false)), all(Some(0)));
        assert_eq!(asked(3, None, Some(false)), all(None));
        assert_eq!(asked(2, None, Some(true)), reduced);
    }

    #[test]
    fn a_bound_or_a_reduction_that_does_not_fit_is_refused() {
        let bound = || PlanRequest {
            preemptions: Some(2),
            ..two_clients()
        };
        let reduction = || PlanRequest {
            reduction: Some(false),
            ..two_clients()
        };
        for (request, why) in [
            (
                PlanRequest {
                    reduction: Some(true),
                    ..bound()
                },
                "preemptions needs every schedule within its bound",
            ),
            (
                PlanRequest {
                    schedule: Some("A B".to_owned()),
                    ..bound()
                },
                "preemptions belongs to the policy exhaustive",
            ),
            (
                PlanRequest {
                    policy: Some(PolicyName::Random),
                    ..bound()
                },
                "preemptions belongs to the policy exhaustive",
            ),
            (
                PlanRequest {
                    schedule: Some("A B".to_owned()),
                    ..reduction()
                },
                "reduction belongs to the policy exhaustive",
            ),
            (
                PlanRequest {
                    policy: Some(PolicyName::Random),
                    ..reduction()
                },
                "reduction belongs to the policy exhaustive",
            ),
        ] {
            let complaint = complaint(request);
            assert!(complaint.starts_with(why), "{complaint}");
        }
    }

    #[test]
    fn a_replay_needs_a_schedule() {
        let replay = PlanRequest {
            policy: Some(PolicyName::Replay),
            ..two_clients()
        };
        assert_eq!(
            complaint(replay),
            "policy replay needs a schedule, e.g. 'A A B A B B'"
        );
    }
}
