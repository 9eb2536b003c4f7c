use std::io::Read;
use std::sync::Arc;
use crossfade::{mapping::*, rewrite::*};
fn main() {
    let emit = match std::env::args().nth(1).as_deref() { Some("old") => Emit::Old, Some("new") => Emit::New, _ => Emit::Both };
    let packs = crossfade::packs::load::<&str>(&[]).unwrap();
    let plan = Arc::new(compile(&packs, &Settings::new(emit)).unwrap());
    if std::env::args().nth(2).as_deref() == Some("bench") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).unwrap();
        let mut out = Vec::new();
        for _ in 0..5 {
        let t = std::time::Instant::now();
        let n = 1 + (200_000_000/ body.len());
        for _ in 0..n {
            let mut r = Rewriter::new(plan.clone(), Options::default(), History::default());
            for c in body.chunks(65536) { out.clear(); r.push(c, &mut out).unwrap(); }
            loop { out.clear(); if r.finish(&mut out).unwrap() == Progress::Done { break } }
        }
        println!("{:.2} GB/s", (n * body.len()) as f64 / t.elapsed().as_secs_f64() / 1e9);
        }
        return;
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).unwrap();
    let mut out = Vec::new();
    let mut r = Rewriter::new(plan, Options::default(), History::default());
    r.push(&body, &mut out).unwrap();
    while r.finish(&mut out).unwrap() == Progress::More {}
    use std::io::Write;
    std::io::stdout().write_all(&out).unwrap();
    eprintln!("{:#?}", r.report());
}
