//! Follows each job of ours and of its peers over time. The comparison proper lets them take turns: `cargo run --release`.

use std::sync::Arc;
use std::time::Duration;

use agent_envelope_bench::peers::pairs;
use agent_envelope_bench::race::Job;
use agent_envelope_bench::world::World;
use criterion::{Criterion, criterion_group, criterion_main};

fn peers(c: &mut Criterion) {
    for pair in pairs(&Arc::new(World::all())) {
        let mut group = c.benchmark_group(format!("{} [{}]", pair.name, pair.peer));
        group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
        let mut bench = |name: &str, job: &Job| {
            let mut turn = 0;
            group.bench_function(name, |b| {
                b.iter(|| {
                    job(turn);
                    turn += 1;
                });
            });
        };
        bench("ours", &pair.our_job);
        bench(pair.peer, &pair.their_job);
        group.finish();
    }
}

criterion_group!(benches, peers);
criterion_main!(benches);
