//! A module that was checked, and how it handles an event.

use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, Error, Linker, Store, StoreLimitsBuilder,
    TrapCode, TypedFunc, TypedResumableCall,
};

use crate::host::{Fault, Host, Question};
use crate::imports::{Call, Effects, FROM, imports};

/// After so much fuel the host is asked whether to go on: well below a millisecond.
const SLICE: u64 = 200_000;

/// Of calls within calls, and of their values.
const MAX_DEPTH: usize = 1_024;
const MAX_STACK_BYTES: usize = 1 << 20;

/// What an event may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of memory, and of effects.
    pub memory_bytes: usize,
    /// About one for each instruction.
    pub fuel: u64,
}

/// A module that can handle events.
pub struct Module<H: Host> {
    module: wasmi::Module,
    linker: Linker<Call<H>>,
    limits: Limits,
}

impl<H: Host> Module<H> {
    /// Checks and translates a module.
    ///
    /// # Errors
    ///
    /// In words: it is no WebAssembly, imports what is not there, lacks `handle` or `memory`, or needs
    /// more memory to begin with than it may have.
    pub fn new(code: &[u8], limits: Limits) -> Result<Self, String> {
        let engine = engine();
        let module = wasmi::Module::new(&engine, code).map_err(said)?;
        let linker = imports(&engine).map_err(said)?;
        // One instance, as each event will have: what is wrong with it is said now.
        let probe: Linker<Call<Nobody>> = imports(&engine).map_err(said)?;
        let mut store = fresh(&engine, Vec::new(), Nobody, limits);
        store.set_fuel(limits.fuel).map_err(said)?;
        begin(&probe, &mut store, &module).map_err(said)?;
        Ok(Self {
            module,
            linker,
            limits,
        })
    }

    /// Handles one event; returns its effects, an array of msgpack.
    ///
    /// # Errors
    ///
    /// Why it came to nothing. The module is as it was.
    pub fn run(&self, event: Vec<u8>, host: H) -> Result<Vec<u8>, Fault<H::Error>> {
        let mut store = fresh(self.module.engine(), event, host, self.limits);
        match self.go_on(&mut store) {
            Ok(()) => Ok(store.into_data().effects.finish()),
            Err(fault) => Err(match store.data_mut().refusal.take() {
                Some(refusal) => Fault::Host(refusal),
                None => fault,
            }),
        }
    }

    fn go_on(&self, store: &mut Store<Call<H>>) -> Result<(), Fault<H::Error>> {
        let length = i32::try_from(store.data().event.len()).unwrap_or(i32::MAX);
        let first = self.limits.fuel.min(SLICE);
        let mut left = self.limits.fuel - first;
        store.set_fuel(first).map_err(trap)?;
        let handle = begin(&self.linker, store, &self.module).map_err(trap)?;
        let mut call = handle.call_resumable(&mut *store, length).map_err(trap)?;
        loop {
            call = match call {
                TypedResumableCall::Finished(()) => return Ok(()),
                TypedResumableCall::HostTrap(refused) => {
                    return Err(Fault::Trap(refused.host_error().to_string()));
                }
                TypedResumableCall::OutOfFuel(paused) => {
                    let more = left.min(paused.required_fuel().max(SLICE));
                    if more < paused.required_fuel() {
                        return Err(Fault::OutOfFuel);
                    }
                    left -= more;
                    store.data_mut().host.pause().map_err(Fault::Host)?;
                    let now = store.get_fuel().map_err(trap)?;
                    store.set_fuel(now + more).map_err(trap)?;
                    paused.resume(&mut *store).map_err(trap)?
                }
            };
        }
    }
}

/// Who is there while a module is checked: it asks nothing by then.
struct Nobody;

impl Host for Nobody {
    type Error = &'static str;

    fn ask(&mut self, _question: Question<'_>) -> Result<Option<Vec<u8>>, Self::Error> {
        Err("asks before there is an event")
    }

    fn pause(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Whose results are the same on every machine: no threads, and one form of what is no number.
fn engine() -> Engine {
    let mut config = Config::default();
    config
        .consume_fuel(true)
        .compilation_mode(CompilationMode::Eager)
        .enforced_limits(EnforcedLimits::strict())
        .ignore_custom_sections(true)
        .set_max_recursion_depth(MAX_DEPTH)
        .set_max_stack_height(MAX_STACK_BYTES);
    Engine::new(&config)
}

fn fresh<H: Host>(engine: &Engine, event: Vec<u8>, host: H, limits: Limits) -> Store<Call<H>> {
    let bounds = StoreLimitsBuilder::new()
        .memory_size(limits.memory_bytes)
        .table_elements(limits.memory_bytes / size_of::<usize>())
        .trap_on_grow_failure(true)
        .build();
    let effects = Effects::new(limits.memory_bytes);
    let mut store = Store::new(engine, Call::new(event, host, effects, bounds));
    store.limiter(|call| &mut call.limits);
    store
}

/// Makes the instance of an event.
fn begin<H: Host>(
    linker: &Linker<Call<H>>,
    store: &mut Store<Call<H>>,
    module: &wasmi::Module,
) -> Result<TypedFunc<i32, ()>, Error> {
    let instance = linker.instantiate_and_start(&mut *store, module)?;
    store.data_mut().memory = instance.get_memory(&*store, "memory");
    if store.data().memory.is_none() {
        return Err(Error::new("exports no memory of the name memory"));
    }
    instance
        .get_typed_func(&*store, "handle")
        .map_err(|error| Error::new(format!("exports no handle(i32) of {FROM}: {error}")))
}

fn said(error: Error) -> String {
    match error.as_trap_code() {
        Some(TrapCode::GrowthOperationLimited) => "more memory than it may have".to_owned(),
        _ => error.to_string(),
    }
}

fn trap<E>(error: Error) -> Fault<E> {
    match error.as_trap_code() {
        Some(TrapCode::OutOfFuel) => Fault::OutOfFuel,
        _ => Fault::Trap(said(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::Kept;

    const LIMITS: Limits = Limits {
        memory_bytes: 1 << 20,
        fuel: 1_000_000,
    };

    /// Keeps what is put into one store, and answers nothing else.
    #[derive(Default)]
    struct Shelf {
        kept: BTreeMap<Vec<u8>, Vec<u8>>,
        pauses: u32,
        patience: u32,
    }

    impl Host for Shelf {
        type Error = String;

        fn ask(&mut self, question: Question<'_>) -> Result<Option<Vec<u8>>, String> {
            match question {
                Question::Get(Kept::Stable, key) => Ok(self.kept.get(key).cloned()),
                Question::Put { key, value, .. } => {
                    self.kept.insert(key.to_vec(), value.to_vec());
                    Ok(None)
                }
                Question::Scan(..) => Ok(None),
                Question::Next => Ok(self.kept.pop_first().map(|(key, _)| key)),
                other => Err(format!("{other:?}")),
            }
        }

        fn pause(&mut self) -> Result<(), String> {
            self.pauses += 1;
            match self.pauses > self.patience {
                true => Err("enough".to_owned()),
                false => Ok(()),
            }
        }
    }

    fn patient() -> Shelf {
        Shelf {
            patience: u32::MAX,
            ..Shelf::default()
        }
    }

    fn module(text: &str) -> Module<Shelf> {
        Module::new(&wat::parse_str(text).unwrap(), LIMITS).unwrap()
    }

    fn refusal(text: &str) -> String {
        let code = wat::parse_str(text).unwrap();
        Module::<Shelf>::new(&code, LIMITS).err().unwrap()
    }

    const MIRROR: &str = r#"(module
        (import "ei" "event" (func $event (param i32)))
        (import "ei" "effect" (func $effect (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "handle") (param $length i32)
            (call $event (i32.const 16))
            (call $effect (i32.const 16) (local.get $length))))"#;

    #[test]
    fn an_events_bytes_come_in_and_effects_go_out_as_one_array() {
        let mirror = module(MIRROR);

        let effects = mirror.run(vec![0x92, 1, 2], patient());

        assert_eq!(effects, Ok(vec![0xdd, 0, 0, 0, 1, 0x92, 1, 2]));
    }

    #[test]
    fn nothing_that_an_event_leaves_in_memory_is_there_for_the_next() {
        let counting = module(
            r#"(module
            (import "ei" "effect" (func $effect (param i32 i32)))
            (memory (export "memory") 1)
            (global $calls (mut i32) (i32.const 0))
            (func (export "handle") (param i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (i32.store8 (i32.const 1) (i32.add (i32.load8_u (i32.const 1)) (i32.const 1)))
                (i32.store8 (i32.const 0) (global.get $calls))
                (call $effect (i32.const 0) (i32.const 2))))"#,
        );

        let first = counting.run(vec![], patient());
        let second = counting.run(vec![], patient());

        assert_eq!(first, Ok(vec![0xdd, 0, 0, 0, 1, 1, 1]));
        assert_eq!(second, first);
    }

    #[test]
    fn what_traps_says_why_and_the_next_event_runs() {
        let picky = module(
            r#"(module
            (memory (export "memory") 1)
            (func (export "handle") (param $length i32)
                (if (i32.eqz (local.get $length)) (then unreachable))))"#,
        );

        let fault = picky.run(vec![], patient());

        let said = "wasm `unreachable` instruction executed".to_owned();
        assert_eq!(fault, Err(Fault::Trap(said)));
        assert!(picky.run(vec![1], patient()).is_ok());
    }

    const LOOP: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "handle") (param i32) (loop $again (br $again))))"#;

    #[test]
    fn a_loop_without_end_uses_its_fuel_up() {
        assert_eq!(module(LOOP).run(vec![], patient()), Err(Fault::OutOfFuel));
    }

    #[test]
    fn while_it_computes_the_host_is_asked_whether_to_go_on() {
        let fault = module(LOOP).run(
            vec![],
            Shelf {
                patience: 2,
                ..Shelf::default()
            },
        );

        assert_eq!(fault, Err(Fault::Host("enough".to_owned())));
    }

    #[test]
    fn memory_ends_where_the_limit_is() {
        let greedy = module(
            r#"(module
            (memory (export "memory") 1)
            (func (export "handle") (param i32)
                (drop (memory.grow (i32.const 16)))))"#,
        );

        let fault = greedy.run(vec![], patient());

        assert_eq!(
            fault,
            Err(Fault::Trap("more memory than it may have".to_owned()))
        );
    }

    #[test]
    fn what_is_kept_is_read_back_and_what_does_not_fit_is_not_written() {
        let keeping = module(
            r#"(module
            (import "ei" "put" (func $put (param i32 i32 i32 i32 i32 f64)))
            (import "ei" "get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
            (import "ei" "effect" (func $effect (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "key value")
            (func (export "handle") (param i32)
                (i32.store8 (i32.const 20)
                    (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 32) (i32.const 8)))
                (call $put (i32.const 0) (i32.const 0) (i32.const 3)
                    (i32.const 4) (i32.const 5) (f64.const 0))
                (i32.store8 (i32.const 21)
                    (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 32) (i32.const 2)))
                (i32.store8 (i32.const 22) (i32.load8_u (i32.const 32)))
                (i32.store8 (i32.const 23)
                    (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 32) (i32.const 8)))
                (i32.store8 (i32.const 24) (i32.load8_u (i32.const 32)))
                (call $effect (i32.const 20) (i32.const 5))))"#,
        );

        let effects = keeping.run(vec![], patient()).unwrap();

        assert_eq!(effects[5..], [255, 5, 0, 5, b'v']);
    }

    #[test]
    fn an_entry_that_does_not_fit_is_the_next_one_still_and_before_a_walk_there_is_none() {
        let walking = module(
            r#"(module
            (import "ei" "scan" (func $scan (param i32 i32 i32)))
            (import "ei" "next" (func $next (param i32 i32) (result i32)))
            (import "ei" "effect" (func $effect (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "handle") (param i32)
                (i32.store8 (i32.const 0) (call $next (i32.const 8) (i32.const 3)))
                (call $scan (i32.const 0) (i32.const 0) (i32.const 0))
                (i32.store8 (i32.const 1) (call $next (i32.const 8) (i32.const 1)))
                (i32.store8 (i32.const 2) (call $next (i32.const 8) (i32.const 3)))
                (i32.store8 (i32.const 3) (call $next (i32.const 8) (i32.const 3)))
                (call $effect (i32.const 0) (i32.const 4))))"#,
        );
        let mut shelf = patient();
        shelf.kept.insert(b"abc".to_vec(), vec![]);

        let effects = walking.run(vec![], shelf).unwrap();

        assert_eq!(effects[5..], [255, 3, 3, 255]);
    }

    #[test]
    fn a_refusal_of_the_host_ends_the_event() {
        let asking = module(
            r#"(module
            (import "ei" "random" (func $random (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "handle") (param i32) (call $random (i32.const 0) (i32.const 8))))"#,
        );

        let fault = asking.run(vec![], patient());

        assert_eq!(fault, Err(Fault::Host("Random(8)".to_owned())));
    }

    #[test]
    fn an_address_beyond_its_memory_is_a_trap_and_not_a_panic() {
        let outside = module(
            r#"(module
            (import "ei" "effect" (func $effect (param i32 i32)))
            (memory (export "memory") 1)
            (func (export "handle") (param i32) (call $effect (i32.const -1) (i32.const -1))))"#,
        );

        let fault = outside.run(vec![], patient());

        assert_eq!(
            fault,
            Err(Fault::Trap("out of bounds memory access".to_owned()))
        );
    }

    #[test]
    fn what_lacks_an_export_or_asks_for_more_than_there_is_is_refused_with_the_word() {
        let no_handle = refusal(r#"(module (memory (export "memory") 1))"#);
        let no_memory = refusal(r#"(module (func (export "handle") (param i32)))"#);
        let of_others = refusal(
            r#"(module (import "env" "printf" (func)) (memory (export "memory") 1)
            (func (export "handle") (param i32)))"#,
        );
        let too_large = refusal(
            r#"(module (memory (export "memory") 17) (func (export "handle") (param i32)))"#,
        );

        assert!(no_handle.contains("handle"), "{no_handle}");
        assert!(no_memory.contains("memory"), "{no_memory}");
        assert!(of_others.contains("printf"), "{of_others}");
        assert!(too_large.contains("memory"), "{too_large}");
        assert!(Module::<Shelf>::new(b"no module", LIMITS).is_err());
    }
}
