//! Set-up with bodies of triggers and routines is split into statements that the engine takes.

use racy::engine::{Flavour, UserStatement};
use racy::scenarios::script::statements;
use racy::step::Unobserved;

use crate::support::TestEngine;

on_engines!(
    every:
        bodies_are_taken_whole;
);

/// Set-up, and how many statements it has. The largest `n` in `log` is 3 afterwards.
fn set_up(engine: TestEngine) -> (Flavour, &'static str, usize) {
    match engine {
        TestEngine::MySql => (Flavour::MySql, INNODB, 7),
        TestEngine::MariaDb => (Flavour::MariaDb, INNODB, 7),
        TestEngine::Postgres => (Flavour::Postgres, POSTGRES, 8),
        TestEngine::Sqlite => (Flavour::Sqlite, SQLITE, 4),
    }
}

const INNODB: &str = r"
CREATE TABLE item (id INT); -- a comment; with a semicolon
CREATE TABLE log (n INT, what VARCHAR(20) DEFAULT 'it\'s; so');
CREATE TRIGGER item_log AFTER INSERT ON item FOR EACH ROW
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END;
  IF NEW.id > 0 THEN
    INSERT INTO log (n) VALUES (CASE WHEN NEW.id > 1 THEN 2 ELSE 1 END);
  END IF;
  CASE NEW.id WHEN 2 THEN INSERT INTO log (n) VALUES (3); ELSE BEGIN END; END CASE;
END;
CREATE DEFINER = CURRENT_USER() PROCEDURE twice(IN begin INT)
counting: BEGIN
  DECLARE left_over INT DEFAULT 2;
  counted: WHILE left_over > 0 DO
    SET left_over = left_over - 1; # a comment; again
  END WHILE counted;
END counting;
DELIMITER //
CREATE FUNCTION three() RETURNS INT DETERMINISTIC BEGIN RETURN 3; END//
DELIMITER ;
CALL twice(1);
INSERT INTO item VALUES (2)
";

const POSTGRES: &str = r"
CREATE TABLE item (id INT); -- a comment; with a semicolon
CREATE TABLE log (n INT, what TEXT DEFAULT E'it\'s; so' /* ; /* ; */ ; */);
CREATE FUNCTION write_log() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO log (n) VALUES (2); RETURN NEW;
END
$body$;
CREATE TRIGGER item_log AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION write_log();
CREATE FUNCTION add_log(start INT) RETURNS void LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO log (n) VALUES (CASE WHEN start > 1 THEN start ELSE 1 END);
  INSERT INTO log (n) VALUES (1);
END;
CREATE RULE item_rule AS ON DELETE TO item DO ALSO (SELECT 1; INSERT INTO log (n) VALUES (3));
INSERT INTO item VALUES (2);
SELECT add_log(3)
";

const SQLITE: &str = r"
CREATE TABLE [item;] (id INT); -- a comment; with a semicolon
CREATE TABLE log (n INT, what TEXT DEFAULT 'it\');
CREATE TRIGGER item_log AFTER INSERT ON `item;`
WHEN (CASE new.id WHEN 0 THEN 0 ELSE 1 END)
BEGIN
  INSERT INTO log (n) VALUES (CASE WHEN new.id > 1 THEN 2 ELSE 1 END);
  INSERT INTO log (n) SELECT n + 1 FROM log;
END;
INSERT INTO [item;] VALUES (2)
";

async fn bodies_are_taken_whole(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let (flavour, text, count) = set_up(engine);
    let found = statements(text, flavour).unwrap();
    assert_eq!(found.len(), count, "{found:#?}");
    for (line, _, sql) in found {
        let statement = UserStatement::new(sql, flavour);
        let answer = session.verbatim("set up", &statement).await;
        answer.unwrap_or_else(|fault| panic!("line {line}: {fault:?}"));
    }
    let query = UserStatement::new("SELECT MAX(n) FROM log", flavour);
    let answer = session.verbatim("ask", &query).await.unwrap();
    assert_eq!(answer.rows[0][0].to_string(), "3");
    session.end().await;
}
