//! `racy token`: creates and revokes API tokens for scripts.

use clap::Subcommand;

use super::{Report, report_on};
use crate::auth::{self, Username};
use crate::commands::CommandResult;
use crate::commands::database::DatabaseOptions;
use crate::engine::Database;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum Command {
    /// Create a token for scripts, and print it.
    ///
    /// The token is shown only this once. It is valid until it is revoked.
    Create {
        #[command(flatten)]
        token: TokenOptions,

        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Revoke all tokens of a user that have this name.
    Revoke {
        #[command(flatten)]
        token: TokenOptions,

        #[command(flatten)]
        database: DatabaseOptions,
    },
}

/// Which token.
#[derive(Debug, clap::Args)]
pub(in crate::commands) struct TokenOptions {
    /// The user whose token it is.
    #[arg(long, value_name = "NAME", value_parser = Username::parse)]
    username: Username,

    /// The name of the token, which says what it is for.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = token_name)]
    name: String,
}

/// The length of the column.
const LONGEST_TOKEN_NAME: usize = 150;

fn token_name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if length > LONGEST_TOKEN_NAME {
        return Err(format!(
            "it has {length} characters; at most {LONGEST_TOKEN_NAME} are allowed"
        ));
    }
    Ok(text.to_owned())
}

impl Command {
    pub(in crate::commands) async fn run(self) -> CommandResult {
        match self {
            Self::Create { token, database } => {
                report_on(&database, async |it| create(it, &token).await).await
            }
            Self::Revoke { token, database } => {
                report_on(&database, async |it| revoke(it, &token).await).await
            }
        }
    }
}

async fn create(database: &Database, TokenOptions { username, name }: &TokenOptions) -> Report {
    let token = auth::create_token(database, username, name)
        .await?
        .ok_or_else(|| unknown_user(username))?;
    Ok(format!("{}\n", token.reveal()))
}

async fn revoke(database: &Database, TokenOptions { username, name }: &TokenOptions) -> Report {
    let revoked = auth::revoke_tokens(database, username, name)
        .await?
        .ok_or_else(|| unknown_user(username))?;
    if revoked == 0 {
        return Err(format!("{username} has no token named {name:?}").into());
    }
    Ok(format!("{revoked} tokens are revoked.\n"))
}

fn unknown_user(username: &Username) -> String {
    format!("there is no user {username}")
}
