//! What an error says, beyond its code.

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

pub trait StatusAssertions {
    fn error_details(&self) -> ErrorDetails;

    /// The path and the description of every violation.
    fn violations(&self) -> Vec<(String, String)> {
        let details = self.error_details();
        let violations = details
            .bad_request()
            .map(|request| request.field_violations.clone());
        let violations = violations.unwrap_or_default().into_iter();
        violations
            .map(|found| (found.field, found.description))
            .collect()
    }

    /// The path of every violation.
    fn paths(&self) -> Vec<String> {
        self.violations()
            .into_iter()
            .map(|(path, _)| path)
            .collect()
    }

    fn reason(&self) -> String {
        let details = self.error_details();
        details.error_info().expect("an ErrorInfo").reason.clone()
    }

    /// An entry of the `ErrorInfo`'s metadata. Call it by its trait: a `Status` has metadata of its own.
    fn metadata(&self, key: &str) -> Option<String> {
        let details = self.error_details();
        details
            .error_info()
            .expect("an ErrorInfo")
            .metadata
            .get(key)
            .cloned()
    }

    fn request_id(&self) -> String {
        let details = self.error_details();
        details
            .request_info()
            .expect("a RequestInfo")
            .request_id
            .clone()
    }
}

impl StatusAssertions for Status {
    fn error_details(&self) -> ErrorDetails {
        self.get_error_details()
    }
}
