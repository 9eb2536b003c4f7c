//! Migrates a query to the other generation.
//!
//! A query is only migrated if the result is provably the same, or if results that differ within a
//! stated bound were allowed. For each selector:
//!
//! 1. [`select`]: the rules of the packs that describe its samples. A matcher on a label with a
//!    fixed value chooses one rule; otherwise several rules apply together.
//! 2. [`selector`]: its matchers. Labels get the name of the other generation, matchers on fixed
//!    values are added or removed, and `le` stays if both generations have the boundary.
//! 3. [`wrap`]: one old series may be several new ones. They are merged as the pack says, unless
//!    the aggregation around them already does so. In the other direction, such an aggregation is
//!    required.
//! 4. [`scaled`]: values that have another unit are multiplied.
//! 5. [`label_names`]: labels that something uses keep their names. A label is renamed only if
//!    nothing but the label lists of the query and its legend names it.
//!
//! Anything else is an obstacle: it is explained, and the query stays as it is.

mod boundaries;
mod different;
mod emptied;
mod factor;
mod input;
mod label_diff;
mod label_lists;
mod label_names;
mod label_values;
mod layouts;
mod order;
mod restored;
mod rounding;
mod scaled;
mod select;
mod selector;
mod uncounted;
mod vector;
mod wrap;

mod series;

pub(super) use input::{Input, Migration, ResultName};
pub(super) use series::migrate_series;

/// Migrates a query.
///
/// # Errors
///
/// The obstacles.
pub(super) fn migrate(input: &Input<'_>) -> Result<Migration, Vec<String>> {
    let selection = select::select(input)?;
    let mut obstacles = Vec::new();
    let mut migration = Migration::default();
    match layouts::check_layouts(input, &selection) {
        Ok(notes) => match vector::edit_query(input, &selection) {
            Ok(edited) => migration = Migration { notes, ..edited },
            Err(obstacle) => obstacles.push(obstacle),
        },
        Err(obstacle) => obstacles.push(obstacle),
    }
    if !input.allow_differs {
        let obstacle = |note: &String| format!("{note}; to accept this, add --allow-differs");
        obstacles.extend(migration.notes.iter().map(obstacle));
    }
    obstacles.extend(different::obstacles(input, &selection));
    obstacles.extend(order::obstacles(input, &selection));
    if obstacles.is_empty() { Ok(migration) } else { Err(obstacles) }
}
