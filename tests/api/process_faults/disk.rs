//! The disk of the SQLite file is full.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use tempfile::TempDir;
use tonic::Code;

use crate::support::{
    Backend, TestDatabase,
    builders::{create, get},
    eventually,
    program::{ANY_PORT, ORPHANS, Prepared, all_leads, assert_whole, client, numbered, serve},
};

/// A file system of a few megabytes, gone when this is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this user may not mount one. In CI, root may.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("make a directory");
        let mounted = run(
            "mount",
            &["-t", "tmpfs", "-o", "size=4m", "leash-test"],
            directory.path(),
        );
        if mounted {
            return Some(Self(directory));
        }
        let is_root = Command::new("id")
            .arg("-u")
            .output()
            .is_ok_and(|id| id.stdout == b"0\n");
        let message = "not run: the test of a full disk, because a file system cannot be mounted";
        assert!(env::var_os("CI").is_none() || !is_root, "{message}");
        // Not `eprintln!`, which the test harness keeps to itself when a test passes.
        let _ = writeln!(io::stderr(), "{message}");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes the room that is left.
    fn fill(&self) {
        let mut filler = File::create(self.path().join("filler")).expect("create a file");
        let mut room = 1 << 20;
        while room > 0 {
            match filler.write(&vec![0; room]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => room /= 2,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).expect("remove the file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server that used it may be about to end.
        run("umount", &["-l"], self.path());
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .arg(path)
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_alone_and_only_while_it_is_full() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let Prepared { database, key } = Prepared::start(Backend::Sqlite).await;
    let file = disk.path().join("leash.db");
    let origin = database.url.trim_start_matches("sqlite://");
    let origin = origin.split('?').next().expect("a file");
    fs::copy(origin, &file).expect("copy the database");
    let database = TestDatabase::at(Backend::Sqlite, format!("sqlite://{}", file.display()));
    let (mut server, address) = serve(&database.url, ANY_PORT, &[]);
    let client = client(address, &key);

    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let lead = client.clone().create_lead(create(numbered(number))).await;
        acknowledged.push(lead.expect("a lead").into_inner());
    }
    disk.fill();

    let mut refused = 0;
    for round in 1..=10 {
        let creates = (0..8).map(|one| {
            let mut client = client.clone();
            async move {
                client
                    .create_lead(create(numbered(100 * round + one)))
                    .await
            }
        });
        for answer in join_all(creates).await {
            match answer {
                Ok(lead) => acknowledged.push(lead.into_inner()),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                    refused += 1;
                }
            }
        }
        for lead in acknowledged.iter().rev().take(3) {
            let read = client.clone().get_lead(get(&lead.id)).await;
            assert_eq!(read.expect("reads go on").into_inner(), *lead);
        }
    }
    assert!(refused > 40, "only {refused} creates found the disk full");
    assert_eq!(
        all_leads(&mut client.clone()).await.len(),
        acknowledged.len()
    );

    disk.make_room();
    eventually("creates work again", Duration::from_secs(20), async || {
        client
            .clone()
            .create_lead(create(numbered(5_000)))
            .await
            .is_ok()
    })
    .await;
    let there = all_leads(&mut client.clone()).await;
    assert_eq!(there.len(), acknowledged.len() + 1);
    for lead in &there {
        assert_whole(lead);
    }
    for lead in &acknowledged {
        assert!(there.contains(lead), "{lead:?}");
    }
    assert_eq!(database.number(ORPHANS).await, 0);
    server.signal("TERM");
    assert!(server.wait().success());
}
