//! How statements are shown while they come.

use super::{PAUSE, Traffic};
use crate::engine::Flavour;
use crate::traffic::{Each, Listing};

/// What is shown, without times and without answers.
fn shown(traffic: &Traffic) -> String {
    let mut listing = Listing::new(Flavour::MySql, Each::Pause(PAUSE), false);
    let lines: String = traffic.heard.iter().map(|it| listing.lines(it)).collect();
    let words = lines.lines().map(|line| {
        let words = line.split(" ms  ").last().unwrap_or_default();
        words.split(" →").next().unwrap_or_default().to_owned() + "\n"
    });
    words.collect()
}

#[test]
fn what_drivers_send_between_two_requests_is_in_neither() {
    let mut traffic = Traffic::new();
    traffic.sends(1, "SET NAMES utf8mb4");
    traffic.sends(1, "UPDATE doc SET used = 1");
    traffic.sends(1, "SELECT @@version");
    traffic.pause();
    traffic.sends(2, "SET NAMES utf8mb4");
    traffic.sends(2, "SELECT 1; SELECT 2");
    traffic.sends(2, "UPDATE doc SET used = 2");
    traffic.sends(1, "UPDATE doc SET used = 3");
    let expected = "\nconnection 1\nSET NAMES utf8mb4\n\
                    \nclient 1, connection 1\nUPDATE doc SET used = 1\nSELECT @@version\n\
                    \nconnection 2\nSET NAMES utf8mb4\nSELECT 1; SELECT 2\n\
                    \nclient 2, connection 2\nUPDATE doc SET used = 2\n\
                    \nclient 2, connection 1\nUPDATE doc SET used = 3\n";
    assert_eq!(shown(&traffic), expected);
}
