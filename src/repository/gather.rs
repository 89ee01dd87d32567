//! Many questions that come at once, answered together.
//!
//! Questions go together when they have the same key. While a key has a lane free its question goes out at once, with those of calls
//! that are ready at the same moment, so that a lone caller waits for nothing. While all are busy, or a round is under way that is
//! worth waiting for, questions wait for the next lane to come free, which takes along all that wait, or until they fill a round of
//! their own or the other takes too long: the busier it is, the fewer statements a question costs. A question joins only a round
//! that has not begun, so that its answer is never from before it was asked.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::error::{Error, Result};
use crate::task::{after_the_others, step_back};

type Answers<A> = Pin<Box<dyn Future<Output = Vec<Result<A>>> + Send>>;

type Answer<K, Q, A> = Box<dyn Fn(K, Vec<Q>) -> Answers<A> + Send + Sync>;

/// A way to answer questions together. Clones share the lanes.
pub struct Gather<K, Q, A>(Arc<Shared<K, Q, A>>);

impl<K, Q, A> Clone for Gather<K, Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// How the questions of one key share its lanes.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// How many rounds there may be at once.
    pub lanes: usize,
    /// How many questions a round has at most.
    pub most: usize,
    /// How many questions that are under way are worth waiting for: another round begins beside them only when as many wait as one
    /// can have.
    pub enough: usize,
    /// How long a round may be waited for: many times what one takes while all is well. A connection that leads nowhere any more
    /// holds up those who asked over it, and those who come after them for no longer than this, as long as a lane is free. Where it
    /// is nothing nobody waits for a round, but for a lane alone.
    pub patience: Duration,
    pub steps_back: StepsBack,
}

/// When a lane lets all tasks go first that are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepsBack {
    /// Each time it is woken. The next round is on its way before those of the last one go on: best where a round is one short wait.
    WhenWoken,
    /// Before each round. What a round waits for in between goes on at once, and those whom the last one answered may already be
    /// back for the next: best where rounds are costly.
    BeforeRounds,
}

struct Shared<K, Q, A> {
    sharing: Sharing,
    answer: Answer<K, Q, A>,
    /// Of each key that anybody asks under now.
    groups: Mutex<HashMap<K, Group<Q, A>>>,
}

struct Group<Q, A> {
    waiting: VecDeque<Waiting<Q, A>>,
    /// How many lanes are.
    busy: usize,
    under_way: Vec<Begun>,
}

/// A round that is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Begun {
    at: Instant,
    questions: usize,
}

impl<Q, A> Group<Q, A> {
    fn may_begin_a_round(&self, sharing: Sharing) -> bool {
        let now = Instant::now();
        let rounds = self.under_way.iter();
        let soon_answered: usize = rounds
            .filter(|round| now.duration_since(round.at) < sharing.patience)
            .map(|round| round.questions)
            .sum();
        soon_answered < sharing.enough || self.waiting.len() >= sharing.most
    }
}

struct Waiting<Q, A> {
    question: Q,
    caller: oneshot::Sender<Result<A>>,
}

impl<K, Q, A> Gather<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    /// `answer` gives one answer for each question, in their order. The keys do not wait for one another.
    pub fn new<F>(sharing: Sharing, answer: impl Fn(K, Vec<Q>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<Result<A>>> + Send + 'static,
    {
        Self(Arc::new(Shared {
            sharing,
            answer: Box::new(move |key, questions| Box::pin(answer(key, questions))),
            groups: Mutex::default(),
        }))
    }

    /// The answer to `question`. A caller who stops waiting is left out, or, once the round is under way, not waited for; a round
    /// that nobody waits for any more ends at once.
    pub async fn ask(&self, key: K, question: Q) -> Result<A> {
        let (caller, answer) = oneshot::channel();
        if let Some(lane) = self.0.enter(key, Waiting { question, caller }) {
            lane.begin();
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Error::internal("a round ended without an answer")))
    }
}

impl<K, Q, A> Shared<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    /// Nothing that holds the lock can panic half-way.
    fn groups(&self) -> MutexGuard<'_, HashMap<K, Group<Q, A>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, key: K, waiting: Waiting<Q, A>) -> Option<Lane<K, Q, A>> {
        let mut groups = self.groups();
        let group = groups.entry(key.clone()).or_insert_with(|| Group {
            waiting: VecDeque::new(),
            busy: 0,
            under_way: Vec::new(),
        });
        group.waiting.push_back(waiting);
        self.lane(key, group)
    }

    /// A lane beside rounds that may no longer be waited for, if somebody waits.
    fn go_on(self: &Arc<Self>, key: &K) -> Option<Lane<K, Q, A>> {
        let mut groups = self.groups();
        let group = groups.get_mut(key)?;
        self.lane(key.clone(), group)
    }

    fn lane(self: &Arc<Self>, key: K, group: &mut Group<Q, A>) -> Option<Lane<K, Q, A>> {
        let begins = !group.waiting.is_empty()
            && group.busy < self.sharing.lanes
            && group.may_begin_a_round(self.sharing);
        begins.then(|| {
            group.busy += 1;
            Lane {
                shared: Arc::clone(self),
                key,
            }
        })
    }

    /// The questions of a lane's next round, those that have waited longest, after `ended`. Where there is
    /// none, the lane is given back: another is busy then, or nobody waits.
    fn next_round(&self, key: &K, ended: Option<Begun>) -> Option<(Begun, Vec<Waiting<Q, A>>)> {
        let mut groups = self.groups();
        let group = groups.get_mut(key)?;
        if let Some(place) = (group.under_way.iter()).position(|round| Some(*round) == ended) {
            group.under_way.swap_remove(place);
        }
        let may_begin = group.may_begin_a_round(self.sharing);
        let mut round = Vec::new();
        while may_begin
            && round.len() < self.sharing.most
            && let Some(waiting) = group.waiting.pop_front()
        {
            if !waiting.caller.is_closed() {
                round.push(waiting);
            }
        }
        if !round.is_empty() {
            let begun = Begun {
                at: Instant::now(),
                questions: round.len(),
            };
            group.under_way.push(begun);
            return Some((begun, round));
        }
        group.busy -= 1;
        if group.busy == 0 {
            groups.remove(key);
        }
        None
    }
}

/// The right to answer one round of a key at a time.
struct Lane<K, Q, A> {
    shared: Arc<Shared<K, Q, A>>,
    key: K,
}

impl<K, Q, A> Lane<K, Q, A>
where
    K: Clone + Eq + Hash + Send + 'static,
    Q: Send + 'static,
    A: Send + 'static,
{
    fn begin(self) {
        match self.shared.sharing.steps_back {
            StepsBack::WhenWoken => tokio::spawn(after_the_others(self.run())),
            StepsBack::BeforeRounds => tokio::spawn(self.run()),
        };
    }

    async fn run(self) {
        let mut last = None;
        let patience = self.shared.sharing.patience;
        let steps_back = self.shared.sharing.steps_back == StepsBack::BeforeRounds;
        loop {
            if steps_back {
                step_back().await;
            }
            let Some((begun, round)) = self.shared.next_round(&self.key, last) else {
                return;
            };
            last = Some(begun);
            let (questions, mut callers): (Vec<_>, Vec<_>) = round
                .into_iter()
                .map(|waiting| (waiting.question, waiting.caller))
                .unzip();
            let (answer, key) = (&self.shared.answer, self.key.clone());
            let answers = async move { answer(key, questions).await };
            let mut answers = pin!(AssertUnwindSafe(answers).catch_unwind());
            let mut overdue = pin!(sleep(patience));
            let answers = loop {
                tokio::select! {
                    answers = &mut answers => break Some(answers),
                    () = all_gone(&mut callers) => break None,
                    () = &mut overdue, if !patience.is_zero() && !overdue.is_elapsed() => {
                        if let Some(beside) = self.shared.go_on(&self.key) {
                            beside.begin();
                        }
                    }
                }
            };
            let Some(answers) = answers else { continue };
            // A round that panicked is told about by the hook, and has no answers; the next one goes on.
            let answers = answers.unwrap_or_default();
            for (caller, answer) in callers.into_iter().zip(answers) {
                // Whoever has gone meanwhile needs no answer.
                caller.send(answer).ok();
            }
        }
    }
}

async fn all_gone<A>(callers: &mut [oneshot::Sender<Result<A>>]) {
    for caller in callers {
        caller.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::*;

    /// Longer than any test.
    const ENDLESS: Duration = Duration::from_secs(3_600);

    /// Answers each number with how many were asked together, once a permit lets it.
    fn counting(lanes: usize, gate: &Arc<Semaphore>) -> Gather<u32, u32, usize> {
        counting_with(lanes, ENDLESS, gate)
    }

    fn counting_with(
        lanes: usize,
        patience: Duration,
        gate: &Arc<Semaphore>,
    ) -> Gather<u32, u32, usize> {
        let gate = Arc::clone(gate);
        let sharing = Sharing {
            lanes,
            most: 10,
            enough: 4,
            patience,
            steps_back: StepsBack::WhenWoken,
        };
        Gather::new(sharing, move |_, questions: Vec<u32>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.expect("open").forget();
                if questions.contains(&13) {
                    panic!("unlucky");
                }
                questions.iter().map(|_| Ok(questions.len())).collect()
            }
        })
    }

    fn ask(
        gather: &Gather<u32, u32, usize>,
        question: u32,
    ) -> tokio::task::JoinHandle<Result<usize>> {
        let gather = gather.clone();
        tokio::spawn(async move { gather.ask(question % 2, question).await })
    }

    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    async fn answered(asked: tokio::task::JoinHandle<Result<usize>>) -> usize {
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await;
        answer
            .expect("in time")
            .expect("no panic")
            .expect("an answer")
    }

    #[tokio::test]
    async fn a_lone_question_goes_out_at_once_and_later_ones_together() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let first = ask(&gather, 1);
        settle().await;
        let (odd, even) = ([3, 5, 7], [2, 4]);
        let odd: Vec<_> = odd.into_iter().map(|n| ask(&gather, n)).collect();
        let even: Vec<_> = even.into_iter().map(|n| ask(&gather, n)).collect();
        settle().await;
        gate.add_permits(3);
        assert_eq!(answered(first).await, 1);
        for asked in odd {
            assert_eq!(answered(asked).await, 3);
        }
        for asked in even {
            assert_eq!(answered(asked).await, 2);
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_round_that_is_overdue() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting_with(2, Duration::ZERO, &gate);
        let stuck: Vec<_> = (0..4).map(|_| ask(&gather, 13)).collect();
        settle().await;
        let beside = ask(&gather, 1);
        settle().await;
        let next = ask(&gather, 3);
        settle().await;
        for asked in &stuck {
            assert!(!asked.is_finished());
        }
        let sizes = || {
            let groups = gather.0.groups();
            let rounds = groups[&1].under_way.iter();
            rounds.map(|round| round.questions).collect::<Vec<_>>()
        };
        assert_eq!(sizes(), [4, 1]);
        beside.abort();
        settle().await;
        assert_eq!(sizes(), [4, 1], "the next goes out on the same lane");
        for asked in stuck {
            asked.abort();
        }
        settle().await;
        gate.add_permits(1);
        assert_eq!(answered(next).await, 1);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_round_goes_on_beside_it_once_it_is_overdue() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting_with(2, Duration::from_millis(20), &gate);
        let stuck: Vec<_> = (0..4).map(|_| ask(&gather, 1)).collect();
        settle().await;
        let waiting = ask(&gather, 3);
        let is_beside = async {
            while gather.0.groups()[&1].under_way.len() < 2 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let begun = tokio::time::timeout(Duration::from_secs(10), is_beside).await;
        begun.expect("nobody else has to come for it");
        gate.add_permits(2);
        assert_eq!(answered(waiting).await, 1);
        for asked in stuck {
            assert_eq!(answered(asked).await, 4);
        }
    }

    #[tokio::test]
    async fn few_wait_for_a_large_round_and_many_have_one_beside_it() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(2, &gate);
        let ask_all = |number| -> Vec<_> { (0..number).map(|_| ask(&gather, 1)).collect() };
        let under_way = || {
            let groups = gather.0.groups();
            groups.get(&1).map(|group| {
                let rounds = group.under_way.iter();
                (group.busy, rounds.map(|round| round.questions).sum())
            })
        };
        let small = ask_all(3);
        settle().await;
        let beside = ask_all(1);
        settle().await;
        assert_eq!(under_way(), Some((2, 4)), "beside a small one");
        gate.add_permits(2);
        for asked in small.into_iter().chain(beside) {
            answered(asked).await;
        }

        let large = ask_all(4);
        settle().await;
        let few = ask_all(9);
        settle().await;
        assert_eq!(under_way(), Some((1, 4)), "too few");
        let more = ask_all(1);
        settle().await;
        assert_eq!(under_way(), Some((2, 14)), "a whole round");
        let last = ask_all(2);
        settle().await;
        gate.add_permits(1);
        settle().await;
        assert_eq!(under_way(), Some((1, 10)), "a lane that ends leaves them");
        gate.add_permits(2);
        for asked in large {
            assert_eq!(answered(asked).await, 4);
        }
        for asked in few.into_iter().chain(more) {
            assert_eq!(answered(asked).await, 10);
        }
        for asked in last {
            assert_eq!(answered(asked).await, 2);
        }
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_one_another_and_leave_nothing_behind() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let (odd, even) = (ask(&gather, 1), ask(&gather, 2));
        settle().await;
        let waiting = |key| {
            let groups = gather.0.groups();
            groups.get(&key).map(|group| group.waiting.len())
        };
        assert_eq!((waiting(0), waiting(1)), (Some(0), Some(0)));
        gate.add_permits(2);
        assert_eq!(answered(odd).await, 1);
        assert_eq!(answered(even).await, 1);
        settle().await;
        assert!(gather.0.groups().is_empty());
    }

    #[tokio::test]
    async fn no_round_is_larger_than_the_most() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let asked: Vec<_> = (0..26).map(|n| ask(&gather, n * 2)).collect();
        settle().await;
        gate.add_permits(10);
        let mut sizes = Vec::new();
        for asked in asked {
            sizes.push(answered(asked).await);
        }
        assert!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_caller_who_left_is_left_out_and_a_round_without_callers_ends() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let first = ask(&gather, 1);
        settle().await;
        let (second, third) = (ask(&gather, 3), ask(&gather, 5));
        settle().await;
        first.abort();
        second.abort();
        settle().await;
        gate.add_permits(1);
        assert_eq!(
            answered(third).await,
            1,
            "the first round gave its permit back"
        );
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_round_alone() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let unlucky = ask(&gather, 13);
        settle().await;
        let next = ask(&gather, 15);
        settle().await;
        gate.add_permits(2);
        assert!(unlucky.await.expect("the caller lives").is_err());
        assert_eq!(answered(next).await, 1);
    }

    #[test]
    fn a_runtime_may_end_while_questions_wait() {
        let gate = Arc::new(Semaphore::new(0));
        let gather = counting(1, &gate);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            ask(&gather, 1);
            settle().await;
            ask(&gather, 3);
            settle().await;
        });
        drop(runtime);
        drop(gather);
        assert_eq!(Arc::strong_count(&gate), 1, "nothing is left behind");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_question_of_many_is_answered_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let sharing = Sharing {
            lanes: 3,
            most: 64,
            enough: 20,
            patience: ENDLESS,
            steps_back: StepsBack::BeforeRounds,
        };
        let gather = Gather::new(sharing, move |_, questions: Vec<u32>| {
            counter.fetch_add(questions.len(), Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                questions.into_iter().map(Ok).collect()
            }
        });
        let tasks: Vec<_> = (0..2_000)
            .map(|n| {
                let gather = gather.clone();
                tokio::spawn(async move { (n, gather.ask(n % 5, n).await.expect("an answer")) })
            })
            .collect();
        for task in tasks {
            let (question, answer) = task.await.expect("no panic");
            assert_eq!(question, answer);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2_000);
    }
}
