//! What a connection does behind a pooler: each transaction begins with its settings, and each
//! statement outside a transaction becomes a transaction of one statement.

use super::Fault;
use super::connection::Connection;

impl Connection {
    pub(super) fn is_behind_a_pooler(&mut self) -> bool {
        self.behind_a_pooler().is_some()
    }

    /// Begins a transaction for one statement, if the connection is behind a pooler and in no
    /// transaction. Returns whether it did.
    pub(super) async fn begin_for_one_statement(&mut self) -> Result<bool, Fault> {
        match self.behind_a_pooler() {
            Some(behind) if !behind.is_in_transaction => {
                self.begin_behind_a_pooler("BEGIN").await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Ends the transaction if [`begin_for_one_statement`](Self::begin_for_one_statement) has begun
    /// one, and returns the statement's result.
    pub(super) async fn end_for_one_statement<T>(
        &mut self,
        has_begun: bool,
        result: Result<T, Fault>,
    ) -> Result<T, Fault> {
        if !has_begun {
            return result;
        }
        let ending = match &result {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = self.command_behind_a_pooler(ending).await;
        let result = result?;
        ended?;
        Ok(result)
    }

    async fn begin_behind_a_pooler(&mut self, begin: &str) -> Result<(), Fault> {
        let Some(behind) = self.behind_a_pooler() else {
            return self.send(begin).await;
        };
        let begin = behind.beginning.spell(begin);
        // If only some of the statements were run, a transaction may be open. So the connection is
        // given up.
        self.send(&begin)
            .await
            .map_err(|fault| Fault::unavailable(fault.to_string()))?;
        self.set_in_transaction(true);
        Ok(())
    }

    /// Runs a statement without values or rows.
    pub(super) async fn command_behind_a_pooler(&mut self, sql: &str) -> Result<(), Fault> {
        if sql.starts_with("BEGIN") {
            return self.begin_behind_a_pooler(sql).await;
        }
        if matches!(sql, "COMMIT" | "ROLLBACK") {
            let ended = self.send(sql).await;
            self.set_in_transaction(false);
            return ended;
        }
        let has_begun = Box::pin(self.begin_for_one_statement()).await?;
        let result = self.send(sql).await;
        Box::pin(self.end_for_one_statement(has_begun, result)).await
    }

    fn set_in_transaction(&mut self, is_in_transaction: bool) {
        if let Some(behind) = self.behind_a_pooler() {
            behind.is_in_transaction = is_in_transaction;
        }
    }
}
