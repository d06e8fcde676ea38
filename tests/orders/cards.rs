//! The cards and heads of the strategies' files.

use racy::exhibits::card::{EVERY_LEVEL, Expectation, Mode, POSTGRES_LEVELS, SQLITE_LEVEL};
use racy::exhibits::orders::STRATEGIES;

#[test]
fn every_file_explains_itself_and_ships_its_code() {
    for strategy in &STRATEGIES {
        let explanation = strategy.card.explanation();
        assert!(explanation.len() > 300, "{}: {explanation}", strategy.name);
        assert!(strategy.card.source.contains("pub async fn write"));
        assert_eq!(strategy.full_name, format!("orders/{}", strategy.name));
    }
}

#[test]
fn every_card_speaks_about_every_mode_and_level_once() {
    for strategy in &STRATEGIES {
        for (mode, levels) in [
            (Mode::InnoDb, EVERY_LEVEL),
            (Mode::InnoDbSnapshot, EVERY_LEVEL),
            (Mode::Postgres, POSTGRES_LEVELS),
            (Mode::SqliteWal, SQLITE_LEVEL),
            (Mode::SqliteRollback, SQLITE_LEVEL),
        ] {
            for level in levels {
                for said in [strategy.card.expected, strategy.beside_the_consumer] {
                    let is_here =
                        |it: &&Expectation| it.engine == mode && it.isolation.contains(level);
                    let said = said.iter().filter(is_here);
                    assert_eq!(said.count(), 1, "{} {mode:?} {level}", strategy.name);
                }
            }
        }
    }
}
