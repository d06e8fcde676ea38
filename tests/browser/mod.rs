//! The console in a real browser: Chromium, driven over WebDriver.
//!
//! A service, a driver and a browser are dear to start. So each test is a visit with several
//! things to see.

mod barriers;
mod driver;
mod explorations;
mod keeper;
mod keyboard;
mod lanes;
mod markup;
mod outages;
mod picture;
mod scriptless;
mod tabs;
mod takeaways;
mod visit;

use driver::{Browser, Driver, Start};
use visit::{PASSWORD, Visit, make_user};
