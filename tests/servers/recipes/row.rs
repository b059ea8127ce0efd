//! A row of the README's table of clients.

const README: &str = include_str!("../../../README.md");

/// The last cell of a row: how a client is set up.
pub(super) struct Row(String);

impl Row {
    pub(super) fn of(client: &str) -> Self {
        let mut rows = README.lines().filter_map(|line| {
            let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let mut cells = cells.splitn(3, " | ");
            (cells.next()? == client).then(|| cells.nth(1))?
        });
        let how = rows.next();
        let how = how.unwrap_or_else(|| panic!("README.md has no row for {client}"));
        Self(how.to_owned())
    }

    /// The row for this account and a shim on this port.
    pub(super) fn filled(&self, bare: &str, port: u16) -> Self {
        let how = self.0.replace("you@example.org", bare);
        Self(how.replace("5222", &port.to_string()))
    }

    /// The code spans of the row.
    pub(super) fn code(&self) -> impl Iterator<Item = &str> {
        self.0.split('`').skip(1).step_by(2)
    }

    /// The value for a field of a dialog.
    pub(super) fn value(&self, field: &str) -> &str {
        let field = format!("*{field}* ");
        let (_, rest) = self
            .0
            .split_once(&field)
            .expect("the field stands in the row");
        let value = rest.split([',', ';']).next().unwrap_or(rest);
        value.trim_matches('"')
    }

    /// The name of the box to be ticked.
    pub(super) fn ticked(&self) -> &str {
        let rest = self
            .0
            .split_once("tick *")
            .expect("something is to be ticked");
        rest.1.split('*').next().unwrap_or(rest.1)
    }
}
