//! Finds out whether a pooler is in between.

use sqlx::ConnectOptions;

use super::Fault;
use super::greeting::TextProtocol;
use super::pool::hang_up;

/// Whether a pooler gives this connection another backend between two transactions, or shares its
/// backend with a second connection to the same address.
///
/// Some poolers hand out the backend that was given back last. Then the second connection gets the
/// first one's. Others hand out the one that has waited longest. Then a connection that asks twice
/// gets two backends, or the only one, which the second connection gets as well.
///
/// `question` begins a transaction and asks for the number of the backend. `end` ends the
/// transaction, whatever the server presets.
pub(super) async fn is_in_between<O>(
    options: &O,
    one: &mut O::Connection,
    question: &str,
    end: &str,
) -> Result<bool, Fault>
where
    O: ConnectOptions<Connection: TextProtocol + Sized>,
{
    let number = number_in_a_transaction(one, question, end).await?;
    if number_in_a_transaction(one, question, end).await? != number {
        return Ok(true);
    }
    let Ok(mut other) = options.connect().await else {
        // The server accepts only one connection.
        return Ok(false);
    };
    let is_shared = other.ask(question).await? == number;
    // If the backend is shared, the other connection holds it, and the first one must not ask.
    let is_in_between = is_shared || number_in_a_transaction(one, question, end).await? != number;
    other.ask(end).await?;
    hang_up(other).await;
    Ok(is_in_between)
}

async fn number_in_a_transaction(
    connection: &mut impl TextProtocol,
    question: &str,
    end: &str,
) -> Result<Vec<Vec<String>>, Fault> {
    let number = connection.ask(question).await?;
    connection.ask(end).await?;
    Ok(number)
}
