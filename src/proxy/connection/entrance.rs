//! How a client gets in, as far as it does not depend on the protocol.

use std::io;

use crate::proxy::framing::Framing;
use crate::proxy::remarks::Remarks;
use crate::proxy::wire::Wire;

/// How an authentication has ended.
#[derive(PartialEq, Eq)]
pub(super) enum Authenticated {
    IsIn,
    /// The server has said why. One of MySQL's protocol may go on with the user of before.
    Refused,
    /// One side is gone.
    Closed,
}

/// What a packet of the server's says of an authentication that it ends.
pub(super) enum Verdict {
    IsIn,
    /// It says why.
    Refused(String),
}

/// Lets both sides talk until the client is in or refused. `verdict` looks at each packet of the
/// server's. None if the authentication goes on.
pub(super) async fn authenticate<F: Framing>(
    client: &mut Wire<F>,
    server: &mut Wire<F>,
    remarks: &Remarks,
    mut verdict: impl FnMut(&F::Packet) -> Option<Verdict>,
) -> io::Result<Authenticated> {
    loop {
        tokio::select! {
            biased;
            packet = server.packet() => {
                let Some(packet) = packet? else { return Ok(Authenticated::Closed) };
                let verdict = verdict(&packet);
                client.send_packet(&packet).await?;
                match verdict {
                    None => {}
                    Some(Verdict::IsIn) => return Ok(Authenticated::IsIn),
                    Some(Verdict::Refused(why)) => {
                        remarks.refused(&why);
                        return Ok(Authenticated::Refused);
                    }
                }
            }
            packet = client.packet() => {
                let Some(packet) = packet? else { return Ok(Authenticated::Closed) };
                server.send_packet(&packet).await?;
            }
        }
    }
}

/// What is said of a client that names another database than the only one that it may use.
pub(super) fn wrong_database(named: &str, only: &str) -> String {
    format!(
        "the application uses the database {named:?}, and the runs are in {only:?}: {{db_name}} in \
         `env` names it. For the application's own database there is --in-place"
    )
}
