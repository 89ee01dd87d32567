//! Answers on their way to the client.

use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::Response;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::admission::Place;

/// How much of an answer the connection gets at once. It keeps all that it was given until the client reads.
const PIECE: usize = 16 * 1024;

/// An answer that keeps a call's place while it is sent, so that slow readers count as calls.
///
/// A short one is handed over whole and its place given back. Of a longer one the connection gets a piece at a time, and what is
/// not read within `patience` never is: otherwise a few readers that stop could take every place for ever.
pub fn hold(answer: Response, place: Place, patience: Duration) -> Response {
    let (mut head, mut body) = answer.into_parts();
    let size = body.size_hint();
    let is_short = |bytes: Option<u64>| bytes.is_some_and(|bytes| bytes <= PIECE as u64);
    if body.is_end_stream() || is_short(size.upper()) {
        return Response::from_parts(head, body);
    }
    let mut frames = Vec::with_capacity(2);
    let mut bytes = 0;
    while bytes <= PIECE {
        match body.frame().now_or_never() {
            Some(Some(frame)) => {
                let data = frame.as_ref().ok().and_then(Frame::data_ref);
                bytes += data.map_or(0, Bytes::len);
                frames.push(frame);
            }
            Some(None) => {
                let body = Body::new(StreamBody::new(stream::iter(frames)));
                return Response::from_parts(head, body);
            }
            None => break,
        }
    }
    if let Some(length) = size.exact() {
        head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // Whether it was read or not, the place is free.
        timeout(patience, send(frames, body, sender)).await.ok();
        drop(place);
    });
    Response::from_parts(head, Body::new(StreamBody::new(received(receiver))))
}

/// A stream of answers that keeps a place for as long as it is open.
pub fn hold_open(answer: Response, place: Place) -> Response {
    answer.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}

type Piece = Result<Frame<Bytes>, Error>;

/// Sends the frames in pieces, and at last nothing. Ends early when the client has gone.
async fn send(first: Vec<Piece>, mut body: Body, sender: mpsc::Sender<Option<Piece>>) {
    let mut first = first.into_iter();
    loop {
        let frame = match first.next() {
            Some(frame) => Some(frame),
            None => body.frame().await,
        };
        match frame.map(|frame| frame.map(Frame::into_data)) {
            Some(Ok(Ok(mut data))) => {
                while !data.is_empty() {
                    let piece = Frame::data(data.split_to(PIECE.min(data.len())));
                    if sender.send(Some(Ok(piece))).await.is_err() {
                        return;
                    }
                }
            }
            Some(Ok(Err(trailers))) => {
                if sender.send(Some(Ok(trailers))).await.is_err() {
                    return;
                }
            }
            Some(Err(error)) => {
                sender.send(Some(Err(error))).await.ok();
                return;
            }
            None => {
                sender.send(None).await.ok();
                return;
            }
        }
    }
}

fn received(receiver: mpsc::Receiver<Option<Piece>>) -> impl stream::Stream<Item = Piece> {
    let pieces = stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(piece) => Some((piece?, Some(receiver))),
            None => Some((Err(Error::new("the answer was not read in time")), None)),
        }
    });
    // Whoever sends a body may ask once more after its end.
    pieces.fuse()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderMap;
    use http_body_util::Full;
    use tokio::sync::Semaphore;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn place(places: &Arc<Semaphore>) -> Place {
        let permit = Arc::clone(places).try_acquire_owned();
        permit.expect("a free place").into()
    }

    fn answer(size: usize) -> Response {
        let trailers = HeaderMap::from_iter([(CONTENT_LENGTH, "1".parse().expect("a value"))]);
        let body = Full::from(vec![7; size]).with_trailers(async { Some(Ok(trailers)) });
        Response::new(Body::new(body))
    }

    #[tokio::test]
    async fn an_answer_arrives_whole_whatever_its_size() {
        for size in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 1_000_000] {
            let places = Arc::new(Semaphore::new(1));
            let held = hold(answer(size), place(&places), PATIENCE);
            let body = held.into_body().collect().await.expect("a body");
            assert!(body.trailers().is_some_and(|trailers| trailers.len() == 1));
            assert_eq!(body.to_bytes(), vec![7; size]);
            drop(places.acquire().await.expect("the place is free again"));

            let plain = Response::new(Body::from(vec![7; size]));
            let held = hold(plain, place(&places), PATIENCE);
            if size > PIECE {
                assert_eq!(held.headers()[CONTENT_LENGTH], size.to_string());
            }
            let body = held.into_body().collect().await.expect("a body");
            assert_eq!(body.to_bytes(), vec![7; size]);
        }
    }

    #[tokio::test]
    async fn a_long_answer_keeps_its_place_until_it_is_read_or_dropped() {
        let places = Arc::new(Semaphore::new(1));
        let mut held = hold(answer(1_000_000), place(&places), PATIENCE).into_body();
        let piece = held.frame().await.expect("a piece").expect("a piece");
        assert_eq!(piece.data_ref().map(Bytes::len), Some(PIECE));
        tokio::task::yield_now().await;
        assert_eq!(places.available_permits(), 0);
        drop(held);
        drop(places.acquire().await.expect("the place is free again"));
    }

    #[tokio::test]
    async fn what_is_not_read_in_time_never_is() {
        let places = Arc::new(Semaphore::new(1));
        let held = hold(answer(1_000_000), place(&places), Duration::from_millis(1));
        drop(places.acquire().await.expect("the place is free again"));
        assert!(held.into_body().collect().await.is_err());
    }

    #[tokio::test]
    async fn an_open_stream_keeps_its_place() {
        let places = Arc::new(Semaphore::new(1));
        let held = hold_open(answer(1), place(&places));
        assert_eq!(places.available_permits(), 0);
        drop(held);
        assert_eq!(places.available_permits(), 1);
    }
}
