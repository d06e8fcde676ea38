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

/// What the server says with the packet that ends an authentication.
pub(super) enum Admission {
    IsIn,
    /// It says why.
    Refused(String),
}

/// Lets both sides talk until the client is in or refused. `admission` reads each packet of the
/// server's, and returns None while the authentication goes on.
pub(super) async fn authenticate<F: Framing>(
    client: &mut Wire<F>,
    server: &mut Wire<F>,
    remarks: &Remarks,
    mut admission: impl FnMut(&F::Packet) -> Option<Admission>,
) -> io::Result<Authenticated> {
    loop {
        tokio::select! {
            biased;
            packet = server.packet() => {
                let Some(packet) = packet? else { return Ok(Authenticated::Closed) };
                let admission = admission(&packet);
                client.send_packet(&packet).await?;
                match admission {
                    None => {}
                    Some(Admission::IsIn) => return Ok(Authenticated::IsIn),
                    Some(Admission::Refused(why)) => {
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
        "the application uses the database {named:?}, and only {only:?} passes here: {{db_name}} in \
         `env` names it. For the application's own database there is --in-place. `racy proxy --record` \
         takes the one of --database-url"
    )
}
