//! How a client of PostgreSQL gets in: what it asks for first, and its authentication.

use std::io;

use super::entrance::{self, Admission, Authenticated, wrong_database};
use crate::proxy::postgres::{
    AuthProgress, Conversation, MessageReader, Opening, Startup, refusal,
};
use crate::proxy::remarks::Remarks;
use crate::proxy::wire::Wire;

/// What a client says first, to the message with which it logs in. None if it did not log in: it
/// was told why, or it wanted something else.
pub(super) async fn ask(
    client: &mut Wire<MessageReader>,
    server: &mut Wire<MessageReader>,
    only: Option<&str>,
    remarks: &Remarks,
) -> io::Result<Option<Startup>> {
    let mut begun = Vec::new();
    let mut was_declined = false;
    loop {
        let (opening, length) = match Opening::read(&begun) {
            Ok(Some(opening)) => opening,
            Ok(None) => {
                let Some(bytes) = client.bytes().await? else {
                    if was_declined {
                        remarks.refused(WANTS_TLS);
                    }
                    return Ok(None);
                };
                begun.extend(bytes);
                continue;
            }
            Err(why) => return turn_away(client, &why.0, remarks).await,
        };
        match opening {
            Opening::Tls | Opening::Gss => {
                begun.drain(..length);
                if !begun.is_empty() {
                    // It would be taken for a part of what follows the encryption.
                    return turn_away(client, "data came with a request for TLS", remarks).await;
                }
                was_declined = true;
                client.send(b"N").await?;
            }
            Opening::DirectTls => {
                remarks.refused(WANTS_TLS);
                return Ok(None);
            }
            Opening::Cancel => {
                server.send(&begun).await?;
                server.until_closed().await;
                return Ok(None);
            }
            Opening::Startup(startup) => {
                if let (Some(named), Some(only)) = (&startup.database, only)
                    && named != only
                {
                    let words = wrong_database(named, only);
                    return turn_away(client, &words, remarks).await;
                }
                let rest = begun.split_off(length);
                server.send(&begun).await?;
                client.put_back(&rest);
                return Ok(Some(startup));
            }
        }
    }
}

const WANTS_TLS: &str = "Racy's proxy offers no TLS, and this client insists on it. Switch TLS off for \
                         this connection: sslmode=prefer or disable (libpq, psycopg, pgx, sqlx), \
                         sslnegotiation=postgres (libpq 17), no `ssl` option (node-postgres)";

/// Tells the client why it cannot get in.
async fn turn_away<T>(
    client: &mut Wire<MessageReader>,
    why: &str,
    remarks: &Remarks,
) -> io::Result<Option<T>> {
    remarks.refused(why);
    client.send(&refusal(why)).await?;
    Ok(None)
}

/// Lets both sides talk until the client is in or refused.
pub(super) async fn authenticate(
    client: &mut Wire<MessageReader>,
    server: &mut Wire<MessageReader>,
    conversation: &mut Conversation,
    remarks: &Remarks,
) -> io::Result<Authenticated> {
    entrance::authenticate(client, server, remarks, |message| {
        match conversation.authentication(message) {
            AuthProgress::GoesOn => None,
            AuthProgress::Done => Some(Admission::IsIn),
            AuthProgress::Refused(error) => Some(Admission::Refused(error.message)),
        }
    })
    .await
}
