//! Several processes that migrate at once.

use std::thread;

use crate::support::{TestDatabase, cli::leash, on_both_databases};

on_both_databases! {
    async fn one_of_five_processes_migrates_and_all_are_content(database: TestDatabase) {
        let said: Vec<String> = thread::scope(|scope| {
            let runs: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| leash(&database.url, &["migrate", "up"])))
                .collect();
            runs.into_iter().map(|run| {
                let run = run.join().expect("a run");
                assert!(run.succeeded, "{run:?}");
                assert!(run.output.ends_with("the schema is up to date\n"), "{run:?}");
                run.output
            }).collect()
        });
        let applied = said.iter().filter(|said| said.contains("applied ")).count();
        assert_eq!(applied, 1, "{said:?}");
        let records = database.number("SELECT count(*) FROM leash_migration").await;
        let names = database.number("SELECT count(DISTINCT version) FROM leash_migration").await;
        assert!(records > 0 && records == names, "{records} records of {names} migrations");
    }
}
