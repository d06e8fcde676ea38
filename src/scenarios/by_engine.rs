//! A text that can be given once, or by engine where dialects differ.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use utoipa::ToSchema;

use crate::engine::Flavour;

/// The engines, as a file names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EngineName {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl EngineName {
    pub(super) const ALL: [Self; 4] = [Self::MySql, Self::MariaDb, Self::Postgres, Self::Sqlite];

    pub(super) fn flavour(self) -> Flavour {
        match self {
            Self::MySql => Flavour::MySql,
            Self::MariaDb => Flavour::MariaDb,
            Self::Postgres => Flavour::Postgres,
            Self::Sqlite => Flavour::Sqlite,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

/// A text by engine.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TextTable {
    /// For the engines that have no text of their own here.
    #[schema(value_type = Option<String>)]
    default: Option<Spanned<String>>,
    /// For MySQL.
    #[schema(value_type = Option<String>)]
    mysql: Option<Spanned<String>>,
    /// For MariaDB.
    #[schema(value_type = Option<String>)]
    mariadb: Option<Spanned<String>>,
    /// For PostgreSQL.
    #[schema(value_type = Option<String>)]
    postgres: Option<Spanned<String>>,
    /// For SQLite.
    #[schema(value_type = Option<String>)]
    sqlite: Option<Spanned<String>>,
}

/// A text for all engines, or a table with a text for each.
#[derive(Debug, Clone)]
pub(super) enum Texts {
    /// The same text on every engine.
    Same(String),
    /// A text by engine.
    ByEngine(Box<TextTable>),
}

/// As the schema shows it.
#[derive(ToSchema)]
#[schema(as = Text)]
#[expect(dead_code, reason = "it is there for its schema alone")]
pub(super) enum TextSchema {
    /// The same text on every engine.
    #[schema(title = "Same")]
    Same(String),
    /// A text by engine.
    #[schema(title = "ByEngine")]
    ByEngine(TextTable),
}

impl Texts {
    /// The text for this engine, with its place: that of the whole value if it is given once.
    pub(super) fn on(&self, engine: EngineName, whole: &Range<usize>) -> Option<Spanned<String>> {
        match self {
            Self::Same(text) => Some(Spanned::new(whole.clone(), text.clone())),
            Self::ByEngine(table) => {
                let own = match engine {
                    EngineName::MySql => &table.mysql,
                    EngineName::MariaDb => &table.mariadb,
                    EngineName::Postgres => &table.postgres,
                    EngineName::Sqlite => &table.sqlite,
                };
                own.as_ref().or(table.default.as_ref()).cloned()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a table with a text for each engine")
    }

    fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts::Same(text.to_owned()))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Texts, M::Error> {
        let table = TextTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Texts::ByEngine(Box::new(table)))
    }
}

/// Something for each engine on which a scenario makes sense.
#[derive(Debug, Clone)]
pub(super) struct ByEngine<T>(BTreeMap<EngineName, T>);

impl<T> ByEngine<T> {
    /// Makes it for each of these engines.
    pub(super) fn make<E>(
        engines: &[EngineName],
        make: impl Fn(EngineName) -> Result<T, E>,
    ) -> Result<Self, E> {
        let made = engines.iter().map(|it| Ok((*it, make(*it)?)));
        Ok(Self(made.collect::<Result<_, E>>()?))
    }

    /// What there is for this engine. None if the scenario makes no sense there.
    pub(super) fn on(&self, flavour: Flavour) -> Option<&T> {
        let found = self.0.iter().find(|(name, _)| name.flavour() == flavour);
        found.map(|(_, it)| it)
    }

    /// All of them, with their engines.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Flavour, &T)> {
        self.0.iter().map(|(name, it)| (name.flavour(), it))
    }
}
