//! Packs that follow each other: 1 → 2 → 3. The old generation of one is the new generation of the
//! pack that it follows.

use std::collections::{BTreeMap, BTreeSet};

use super::emitted::Emitted;
use super::generation::{Emit, Generation};
use super::pack::Pack;
use crate::document::{Diagnostic, Diagnostics, closest};

/// Which of some packs follow each other.
#[derive(Debug)]
pub(in crate::mapping) struct Chain<'a> {
    packs: &'a [Pack],
    /// For each pack, the number of packs before it.
    levels: Vec<usize>,
    /// For each pack, the first of its chain.
    roots: Vec<usize>,
}

/// Packs that are compiled together, and what they emit.
#[derive(Debug)]
pub(in crate::mapping) struct Stage {
    /// Places of the packs.
    pub(in crate::mapping) packs: Vec<usize>,
    pub(in crate::mapping) emitted: Emitted,
    /// Places of those whose input is complete: no later stage has a pack of the same chain.
    pub(in crate::mapping) last: BTreeSet<usize>,
}

/// An error unless packs describe two generations, for tools that compare two.
///
/// # Errors
///
/// One of the packs follows another one.
pub fn two_generations(packs: &[Pack]) -> Result<(), Diagnostics> {
    let follows = |pack: &Pack| {
        let followed = followed(packs, pack)?;
        let (name, other) = (pack.name(), packs[followed].name());
        let message = format!(
            "`{name}` follows `{other}`, and only the packs of one rename can be used here"
        );
        let help = format!("use the pack `{other}` first, and then `{name}`");
        Some(pack.follows_error(message, &help))
    };
    packs.iter().find_map(follows).map_or(Ok(()), |error| Err(Diagnostics(vec![error])))
}

/// The place of the pack that a pack follows. A pack that is not in the list is not followed.
fn followed(packs: &[Pack], pack: &Pack) -> Option<usize> {
    let name = pack.follows()?;
    packs.iter().position(|its| its.name() == name)
}

/// Warnings about packs that follow a pack that is not in the list.
pub(in crate::mapping) fn not_followed(packs: &[Pack]) -> impl Iterator<Item = Diagnostic> {
    packs.iter().filter(|pack| followed(packs, pack).is_none()).filter_map(|pack| {
        let name = pack.follows()?;
        let others = packs.iter().map(Pack::name).filter(|its| *its != pack.name());
        let help = match closest(name, others) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "use both packs to rewrite over both renames".to_owned(),
        };
        pack.follows_warning(
            format!("the pack `{name}`, which this one follows, is not in use"),
            &help,
        )
    })
}

impl<'a> Chain<'a> {
    /// # Errors
    ///
    /// Packs follow each other in a circle.
    pub(in crate::mapping) fn new(packs: &'a [Pack]) -> Result<Chain<'a>, Diagnostic> {
        let mut chain = Chain { packs, levels: Vec::new(), roots: Vec::new() };
        for (place, pack) in packs.iter().enumerate() {
            let (mut level, mut root) = (0, place);
            while let Some(before) = followed(packs, &packs[root]) {
                (level, root) = (level + 1, before);
                if level > packs.len() {
                    let message = format!("`{}` follows itself", pack.name());
                    let help = "a pack follows the pack of the rename before: remove one `follows`";
                    return Err(pack.follows_error(message, help));
                }
            }
            chain.levels.push(level);
            chain.roots.push(root);
        }
        Ok(chain)
    }

    /// The packs of each level. Packs of one level extend each other.
    pub(in crate::mapping) fn levels(&self) -> Vec<Vec<Pack>> {
        let mut levels: BTreeMap<usize, Vec<Pack>> = BTreeMap::new();
        for (pack, level) in self.packs.iter().zip(&self.levels) {
            levels.entry(*level).or_default().push(pack.clone());
        }
        levels.into_values().collect()
    }

    /// What a pack emits if the setting is `emit`. A pack that does not declare the edition, of a
    /// chain in which another does, emits the generation that is closer to that pack.
    fn emitted_by(&self, place: usize, emit: Emit) -> Result<Emitted, Diagnostic> {
        let Emit::Edition(name) = emit else { return Emitted::new(emit, self.packs) };
        let of_all = Emitted::new(emit, self.packs)?;
        let declares = |pack: &Pack| pack.editions().find(name).map(|(generation, _)| generation);
        let generation = declares(&self.packs[place]).or_else(|| {
            let mut chain = (0..self.packs.len()).filter(|it| self.roots[*it] == self.roots[place]);
            let declaring = chain.find(|it| declares(&self.packs[*it]).is_some())?;
            Some(match self.levels[place].cmp(&self.levels[declaring]) {
                std::cmp::Ordering::Less => Generation::New,
                std::cmp::Ordering::Greater => Generation::Old,
                std::cmp::Ordering::Equal => declares(&self.packs[declaring])?,
            })
        });
        Ok(generation.map_or(of_all, |generation| of_all.with_generation(generation)))
    }

    /// The stages in order: to newer generations from the oldest pack on, then to older ones from the
    /// newest pack on.
    ///
    /// # Errors
    ///
    /// No pack declares the edition, or both generations are emitted although packs follow each
    /// other.
    pub(in crate::mapping) fn stages(&self, emit: Emit) -> Result<Vec<Stage>, Diagnostic> {
        if emit == Emit::Both
            && let Some(pack) = self.packs.iter().find(|pack| followed(self.packs, pack).is_some())
        {
            let help = "emit `old`, `new` or an edition";
            return Err(
                pack.follows_error("`both` is not possible for packs that follow others", help)
            );
        }
        let mut stages: BTreeMap<(bool, isize), Stage> = BTreeMap::new();
        for place in 0..self.packs.len() {
            let emitted = self.emitted_by(place, emit)?;
            let level = isize::try_from(self.levels[place]).unwrap_or(isize::MAX);
            let order = match emitted.generation() {
                Some(Generation::Old) => (true, -level),
                Some(Generation::New) | None => (false, level),
            };
            let stage = stages.entry(order);
            let stage = stage.or_insert_with(|| Stage {
                packs: Vec::new(),
                emitted,
                last: BTreeSet::new(),
            });
            stage.packs.push(place);
        }
        let mut later = BTreeSet::new();
        for stage in stages.values_mut().rev() {
            stage.last = stage.packs.iter().copied().collect();
            stage.last.retain(|place| !later.contains(&self.roots[*place]));
            later.extend(stage.packs.iter().map(|place| self.roots[*place]));
        }
        Ok(stages.into_values().collect())
    }
}
