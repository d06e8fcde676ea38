//! How a client gets in: the greeting, what it answers, and its authentication.

use std::io;

use super::entrance::{self, Admission, Authenticated, wrong_database};
use crate::proxy::mysql::{
    AuthProgress, Capabilities, ClientHello, Conversation, Greeting, Packet, PacketReader,
    Response, ServerHello, refusal,
};
use crate::proxy::remarks::Remarks;
use crate::proxy::wire::Wire;

/// What both sides say first. None if the client cannot get in; it was told why.
pub(super) async fn greet(
    client: &mut Wire<PacketReader>,
    server: &mut Wire<PacketReader>,
    only: Option<&str>,
    remarks: &Remarks,
) -> io::Result<Option<(Greeting, Response, Packet)>> {
    let Some(mut first) = server.packet().await? else {
        return Ok(None);
    };
    match ServerHello::read(&first.payload) {
        Ok(ServerHello::Greeting(_)) => {}
        Ok(ServerHello::Refused(error)) => {
            remarks.refused(&error.message);
            client.send_packet(&first).await?;
            return Ok(None);
        }
        Err(why) => {
            let words = format!("the server's greeting was not understood: {}", why.0);
            return turn_away(client, 0, &words, remarks).await;
        }
    }
    let shown = Greeting::without(&first.payload, Capabilities::HIDDEN).and_then(|payload| {
        let greeting = Greeting::read(&payload)?;
        Ok((payload, greeting))
    });
    let (payload, shown) = match shown {
        Ok(shown) => shown,
        Err(why) => return turn_away(client, 0, &why.0, remarks).await,
    };
    first.payload = payload;
    client.send_packet(&first).await?;
    let Some(mut hello) = client.packet().await? else {
        return Ok(None);
    };
    let sequence = hello.sequence.wrapping_add(1);
    let response = match ClientHello::read(&hello.payload, &shown) {
        Ok(ClientHello::Response(response)) => response,
        Ok(ClientHello::TlsRequest) => {
            return turn_away(client, sequence, WANTS_TLS, remarks).await;
        }
        Ok(ClientHello::CompressionRequest) => {
            return turn_away(client, sequence, WANTS_COMPRESSION, remarks).await;
        }
        Err(why) => return turn_away(client, sequence, &why.0, remarks).await,
    };
    if let (Some(named), Some(only)) = (&response.database, only)
        && !named.eq_ignore_ascii_case(only)
    {
        let words = wrong_database(named, only);
        return turn_away(client, sequence, &words, remarks).await;
    }
    match Response::without(&hello.payload, Capabilities::HIDDEN) {
        Ok(payload) => hello.payload = payload,
        Err(why) => return turn_away(client, sequence, &why.0, remarks).await,
    }
    Ok(Some((shown, response, hello)))
}

const WANTS_TLS: &str = "Racy's proxy offers no TLS, and this client insists on it. Switch TLS off \
                         for this connection: ssl-mode=DISABLED or PREFERRED (mysql, mysqlclient, \
                         Connector/J: sslMode), --skip-ssl or ssl-verify-server-cert=0 (MariaDB), no \
                         `ssl` option (mysql2, PyMySQL)";

const WANTS_COMPRESSION: &str = "Racy's proxy offers no compression, and this client insists on it. \
                                 Switch compression off for this connection";

/// Tells the client why it cannot get in.
async fn turn_away<T>(
    client: &mut Wire<PacketReader>,
    sequence: u8,
    why: &str,
    remarks: &Remarks,
) -> io::Result<Option<T>> {
    remarks.refused(why);
    client.send_packet(&refusal(sequence, why)).await?;
    Ok(None)
}

/// Lets both sides talk until the client is in or refused.
pub(super) async fn authenticate(
    client: &mut Wire<PacketReader>,
    server: &mut Wire<PacketReader>,
    conversation: &mut Conversation,
    remarks: &Remarks,
) -> io::Result<Authenticated> {
    entrance::authenticate(client, server, remarks, |packet| {
        match conversation.authentication(packet) {
            AuthProgress::GoesOn => None,
            AuthProgress::Done(_) => Some(Admission::IsIn),
            AuthProgress::Refused(error) => Some(Admission::Refused(error.message)),
        }
    })
    .await
}
