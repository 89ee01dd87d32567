use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use super::call::request_id;

/// Logs a panic as everything is logged: where it happened, and with `RUST_BACKTRACE` set the way there. What it says may
/// hold what people wrote.
pub fn log(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = is_captured.then(|| tracing::field::display(&backtrace));
    let id = request_id();
    match panic.location() {
        Some(place) => {
            tracing::error!(request.id = id, backtrace, "panicked at {place}");
        }
        None => tracing::error!(request.id = id, backtrace, "panicked"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lines").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_words() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        let usual = take_hook();
        set_hook(Box::new(log));
        let panicked = tracing::subscriber::with_default(subscriber, || {
            catch_unwind(|| panic!("the password is swordfish"))
        });
        set_hook(usual);
        assert!(panicked.is_err());
        let lines = lines.0.lock().expect("lines");
        let line: serde_json::Value = serde_json::from_slice(&lines).expect("one line of JSON");
        let message = line["fields"]["message"].as_str().expect("a message");
        assert!(
            message.starts_with(&format!("panicked at {}:", file!())),
            "{line}"
        );
        assert_eq!(line["level"], "ERROR");
        assert!(!line.to_string().contains("swordfish"));
    }
}
