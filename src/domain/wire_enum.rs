/// Declares an enum that mirrors one of the wire contract.
///
/// Each value has the contract's number, which never changes, and its name. Columns and JSON hold the number,
/// settings files the name.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$value_meta:meta])* $variant:ident = $number:literal $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "i32", try_from = "i32")]
        pub enum $name {
            $($(#[$value_meta])* $variant = $number),+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The number on the wire and in the database.
            pub fn number(self) -> i32 {
                self as i32
            }

            /// The name on the wire, without its type's prefix.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl From<$name> for i32 {
            fn from(value: $name) -> i32 {
                value.number()
            }
        }

        impl TryFrom<i32> for $name {
            type Error = String;

            fn try_from(number: i32) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err(format!("{number} is not one of its values")),
                }
            }
        }
    };
}
pub(crate) use wire_enum;
