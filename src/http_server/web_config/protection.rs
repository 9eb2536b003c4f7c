//! What a web configuration requires of clients, and whether another one requires less.

use super::file::File;

/// What clients need before they are served, as the keys of the file that require it.
#[derive(Clone, Debug, Default)]
pub(super) struct Protection(Vec<&'static str>);

impl Protection {
    pub(super) fn new(file: &File) -> Protection {
        let tls = file.tls_server_config.as_ref();
        let verified = |auth: &str| auth == "RequireAndVerifyClientCert";
        let demands = [
            ("tls_server_config", tls.is_some()),
            (
                "client_auth_type",
                tls.and_then(|tls| tls.client_auth_type.as_ref())
                    .is_some_and(|auth| verified(&auth.value)),
            ),
            ("client_allowed_sans", tls.is_some_and(|tls| !tls.client_allowed_sans.is_empty())),
            (
                "min_version",
                tls.and_then(|tls| tls.min_version.as_ref())
                    .is_some_and(|version| version.value == "TLS13"),
            ),
            ("basic_auth_users", !file.basic_auth_users.is_empty()),
            ("rate_limit", file.rate_limit.as_ref().is_some_and(|rate| rate.interval.is_some())),
        ];
        Protection(
            demands.into_iter().filter(|(_, demanded)| *demanded).map(|(key, _)| key).collect(),
        )
    }

    /// What `next` no longer requires. Empty if it requires as much.
    pub(super) fn lost(&self, next: &Protection) -> Vec<&'static str> {
        self.0.iter().copied().filter(|key| !next.0.contains(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_demanded_is_lost() {
        let none = Protection::default();
        let users = Protection(vec!["basic_auth_users"]);
        let both = Protection(vec!["tls_server_config", "basic_auth_users"]);
        assert_eq!(none.lost(&both), [""; 0]);
        assert_eq!(both.lost(&both), [""; 0]);
        assert_eq!(both.lost(&users), ["tls_server_config"]);
        assert_eq!(both.lost(&none), ["tls_server_config", "basic_auth_users"]);
    }
}
