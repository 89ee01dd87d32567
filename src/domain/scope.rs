//! What a caller may do, and where.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    LeadsRead,
    LeadsWrite,
    CustomersRead,
    CustomersWrite,
    SettingsRead,
    SettingsWrite,
}

impl Permission {
    pub const ALL: [Self; 6] = [
        Self::LeadsRead,
        Self::LeadsWrite,
        Self::CustomersRead,
        Self::CustomersWrite,
        Self::SettingsRead,
        Self::SettingsWrite,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::LeadsRead => "leads:read",
            Self::LeadsWrite => "leads:write",
            Self::CustomersRead => "customers:read",
            Self::CustomersWrite => "customers:write",
            Self::SettingsRead => "settings:read",
            Self::SettingsWrite => "settings:write",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("{name:?} is not a permission; there are {names}")
            })
    }
}

/// The companies a key reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Companies {
    All,
    /// Never empty.
    Only(Vec<String>),
}

/// What the key behind a call allows, and in whose name it writes. There is no default: whoever has no scope has no access.
#[derive(Debug, Clone)]
pub struct Scope {
    pub key_id: String,
    /// Recorded in `created_by` and `last_updated_by`.
    pub actor: String,
    pub permissions: Vec<Permission>,
    pub companies: Companies,
}

impl Scope {
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.permissions.contains(&permission) {
            Ok(())
        } else {
            Err(Error::MissingPermission(permission))
        }
    }

    /// Refuses a company outside the key's list, before anything is said of the rest of the request.
    pub fn require_company(&self, company_id: &str) -> Result<()> {
        match &self.companies {
            Companies::Only(allowed) if !allowed.iter().any(|id| id == company_id) => {
                Err(Error::CompanyNotAllowed(company_id.to_owned()))
            }
            Companies::All | Companies::Only(_) => Ok(()),
        }
    }

    /// The company of a key that has exactly one.
    pub fn only_company(&self) -> Option<&str> {
        match &self.companies {
            Companies::Only(allowed) => match allowed.as_slice() {
                [company_id] => Some(company_id),
                _ => None,
            },
            Companies::All => None,
        }
    }
}
