//! Calls that no generated client makes: of any method by its name, with any bytes and any metadata.

use prost::bytes::{Buf, BufMut};
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    transport::Channel,
};

pub type Answer = Result<Response<Vec<u8>>, Status>;

/// Calls `path` (`/package.Service/Method`).
pub async fn call(
    channel: Channel,
    path: &str,
    message: Vec<u8>,
    metadata: &[(&str, &str)],
) -> Answer {
    let mut request = Request::new(message);
    for (key, value) in metadata {
        let key: AsciiMetadataKey = key.parse().expect("a metadata key");
        let value: AsciiMetadataValue = value.parse().expect("a metadata value");
        request.metadata_mut().insert(key, value);
    }
    let mut client = Grpc::new(channel);
    client.ready().await.expect("a connection");
    client
        .unary(request, path.parse().expect("a path"), Bytes)
        .await
}

/// Messages as they are on the wire.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).into()))
    }
}
