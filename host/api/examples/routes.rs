//! Prints `docs/routes.md`, the table of every route, the role that it needs and the statuses that it can have.
//!
//! `make routes` writes the page; the test here says whether it is still current.

fn main() {
    print!("{}", ta_bot_api::routes_page());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_current() {
        let written = include_str!("../../../docs/routes.md");
        assert!(written == ta_bot_api::routes_page(), "docs/routes.md is not current: run `make routes`");
    }
}
