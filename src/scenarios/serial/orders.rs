//! The serial orders that a run may end like.

use crate::explore::{Client, ClientResult};
use crate::verdict::Outcome;

/// The largest number of clients that differ. Seven have 5,040 orders.
pub(in crate::scenarios) const MOST_CLIENTS: usize = 6;

/// Of more clients that are alike, one order stands for all.
pub(super) const MOST_ALIKE: usize = 3;

/// Every order of every subset of these clients, those with all clients first.
///
/// A client of which nothing was kept may be absent: the engine has refused it, or it has declined.
/// One that has changed something half way may not. A client that has tried to get a lock may be
/// absent if it has changed nothing: it has found the lock taken.
pub(super) fn of(results: &[ClientResult], are_alike: bool) -> Vec<Vec<Client>> {
    let may_be_absent = |client: &Client| {
        let result = &results[client.index()];
        match result.outcome {
            Outcome::Refused | Outcome::Unknown => true,
            Outcome::Partial => result.changed_nothing,
            Outcome::Applied => result.changed_nothing && result.tries_locks,
        }
    };
    let clients: Vec<_> = Client::first(results.len()).collect();
    let mut subsets = vec![Vec::new()];
    for client in clients {
        let without = subsets.clone();
        for subset in &mut subsets {
            subset.push(client);
        }
        if may_be_absent(&client) {
            subsets.extend(without);
        }
    }
    subsets.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let orders = subsets.into_iter().flat_map(|subset| {
        if are_alike && subset.len() > MOST_ALIKE {
            vec![subset]
        } else {
            permutations(&subset)
        }
    });
    orders.collect()
}

/// All orders of these clients.
pub(in crate::scenarios) fn permutations(clients: &[Client]) -> Vec<Vec<Client>> {
    if clients.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |at: usize| {
        let mut others = clients.to_vec();
        let first = others.remove(at);
        let rest = permutations(&others);
        rest.into_iter().map(move |mut order| {
            order.insert(0, first);
            order
        })
    };
    (0..clients.len()).flat_map(with_first).collect()
}

/// The order as people write it.
pub(super) fn in_words(order: &[Client]) -> String {
    let names: Vec<_> = order.iter().map(Client::to_string).collect();
    match &names[..] {
        [] => "no client at all".to_owned(),
        [one] => format!("{one} alone"),
        several => several.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::ClientResult;

    #[test]
    fn every_order_comes_once() {
        let clients: Vec<_> = Client::first(3).collect();
        let mut orders = permutations(&clients);
        assert_eq!(orders.len(), 6);
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 6);
    }

    fn orders_of(outcomes: &[Outcome]) -> Vec<String> {
        let results = outcomes.iter().map(|it| ClientResult::failed(*it, None));
        let results: Vec<_> = results.collect();
        of(&results, false).iter().map(|it| in_words(it)).collect()
    }

    #[test]
    fn one_order_stands_for_all_of_many_clients_that_are_alike() {
        let orders = |count| of(&vec![ClientResult::APPLIED; count], true).len();
        assert_eq!((orders(2), orders(3), orders(8)), (2, 6, 1));
    }

    #[test]
    fn only_a_client_that_has_kept_nothing_may_be_absent() {
        use Outcome::{Applied, Partial, Refused};
        assert_eq!(orders_of(&[Applied, Applied]), ["A B", "B A"]);
        assert_eq!(orders_of(&[Applied, Refused]), ["A B", "B A", "A alone"]);
        assert_eq!(orders_of(&[Applied, Partial]), ["A B", "B A"]);
        assert_eq!(
            orders_of(&[Refused, Refused]),
            ["A B", "B A", "B alone", "A alone", "no client at all"]
        );
    }
}
