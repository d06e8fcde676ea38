//! An export that is being written. Every operation on its file is a step.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{Folder, bears};
use super::name::FileName;
use super::rows::Rows;
use super::sheet::{Chunk, ExportId, Sheet};
use super::{ExportRequest, ExportTotals};
use crate::engine::{Fault, Session, shared_work};
use crate::exhibits::files::blocking;
use crate::step::{Action, Argument, Effect};

/// A file into which an export is written. It is removed when it is dropped, unless it was
/// [finished](Self::finish) or renamed: half an export must not be found.
#[derive(Debug)]
pub(super) struct ExportFile {
    file: Arc<File>,
    partial: Partial,
    export: ExportId,
    /// How many bytes are collected before they are written.
    chunk: usize,
    /// The effect of a write on other clients. [`Effect::Local`] if no other client can have the
    /// file open.
    effect: Effect,
}

impl ExportFile {
    /// Opens a file that other clients may write and read as well, and empties it.
    #[track_caller]
    pub(super) fn overwrite(
        s: &mut Session<'_>,
        folder: &Folder,
        name: &FileName,
    ) -> impl Future<Output = Result<Self, Fault>> {
        shared_work!(s, {
            let open = {
                let (folder, name) = (folder.clone(), name.clone());
                move || folder.overwrite(&name)
            };
            let work = blocking("the export could not be opened", open);
            let step = (Action::Write, "open and empty", Effect::Conflicts);
            let opened = s.outside(step, [name.as_str().into()], work).await?;
            Ok(Self::new(opened, folder, Effect::Conflicts))
        })
    }

    /// Creates a file that no other client knows.
    #[track_caller]
    pub(super) fn create(
        s: &mut Session<'_>,
        folder: &Folder,
        label: &'static str,
        name: String,
    ) -> impl Future<Output = Result<Self, Fault>> {
        shared_work!(s, {
            let create = {
                let folder = folder.clone();
                move || folder.create_file(&name)
            };
            let work = blocking("the export could not be made", create);
            let created = s
                .outside((Action::Write, label, Effect::Local), NONE, work)
                .await?;
            Ok(Self::new(created, folder, Effect::Local))
        })
    }

    fn new((file, path): (File, PathBuf), folder: &Folder, effect: Effect) -> Self {
        let file = Arc::new(file);
        Self {
            partial: Partial {
                file: Arc::clone(&file),
                path: Some(path),
            },
            file,
            export: ExportId::draw(),
            chunk: folder.chunk(),
            effect,
        }
    }

    /// Writes the header, all rows and the trailer, chunk by chunk.
    #[track_caller]
    pub(super) fn fill(
        &mut self,
        s: &mut Session<'_>,
        request: &ExportRequest,
        mut rows: Rows,
    ) -> impl Future<Output = Result<ExportTotals, Fault>> {
        shared_work!(s, {
            let mut sheet = Sheet::begin(self.export, request.account)?;
            let mut bytes = 0;
            while let Some(row) = rows.next(s).await? {
                if let Some(chunk) = sheet.full(self.chunk)? {
                    bytes += self.write(s, chunk).await?;
                }
                sheet.add(&row)?;
            }
            bytes += self.write(s, sheet.end()?).await?;
            Ok(ExportTotals {
                export: self.export,
                rows: sheet.rows(),
                bytes,
            })
        })
    }

    async fn write(&self, s: &mut Session<'_>, chunk: Chunk) -> Result<u64, Fault> {
        let label = match chunk.rows {
            Some((first, last)) if first == last => "write row",
            Some(_) => "write rows",
            None => "write no rows",
        };
        let numbers: &[i64] = match &chunk.rows {
            Some((first, last)) if first == last => &[*first],
            Some((first, last)) => &[*first, *last],
            None => &[],
        };
        let bytes = chunk.bytes.len() as u64;
        let file = Arc::clone(&self.file);
        let work = blocking("the export could not be written", move || {
            (&*file).write_all(&chunk.bytes)
        });
        s.outside((Action::Write, label, self.effect), numbers, work)
            .await?;
        Ok(bytes)
    }

    /// Gives the file the shared name, in one instant, and replaces the file that had it. Before
    /// that the file is brought to the disk: otherwise a crash of the machine could leave the name
    /// without the content. The two are one step, because no client can observe when the first of
    /// them happens.
    #[track_caller]
    pub(super) fn rename(
        mut self,
        s: &mut Session<'_>,
        folder: &Folder,
        name: &FileName,
    ) -> impl Future<Output = Result<(), Fault>> {
        shared_work!(s, {
            let to = folder.path().join(name.as_str());
            let (file, from) = (Arc::clone(&self.file), self.partial.path.clone());
            let work = blocking("the export could not be renamed", move || {
                file.sync_data()?;
                from.map_or(Ok(()), |from| fs::rename(from, to))
            });
            let step = (Action::Write, "rename to", Effect::Conflicts);
            s.outside(step, [name.as_str().into()], work).await?;
            self.partial.path = None;
            Ok(())
        })
    }

    /// Keeps the file, which is whole.
    pub(super) fn finish(mut self) {
        self.partial.path = None;
    }
}

const NONE: [Argument; 0] = [];

/// A file that may be half written. Dropping it removes the file, if the path still leads to it.
#[derive(Debug)]
struct Partial {
    file: Arc<File>,
    path: Option<PathBuf>,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else {
            return;
        };
        if let Err(error) = remove(&path, &self.file) {
            tracing::warn!(file = %path.display(), %error, "half an export could not be removed");
        }
    }
}

fn remove(path: &Path, file: &File) -> io::Result<()> {
    if bears(path, file)? {
        fs::remove_file(path)
    } else {
        Ok(())
    }
}
