//! leash serves leads and customers of pet-care businesses over gRPC.

pub mod pb;
