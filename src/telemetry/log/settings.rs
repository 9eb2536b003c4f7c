//! The settings of the log.

/// The least severe level that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// The gateway does not work as configured.
    Error,
    /// An operator should check this.
    Warn,
    /// Useful for operators.
    #[default]
    Info,
    /// Useful for developers.
    Debug,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=info msg="…" key=value`
    #[default]
    Logfmt,
    /// One object per line.
    Json,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSettings {
    /// The least severe level that is logged.
    pub level: LogLevel,
    /// The format of a line.
    pub format: LogFormat,
}
