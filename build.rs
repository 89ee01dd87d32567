//! Compiles `proto/` into the code and the descriptors that `src/pb.rs` includes.

use std::{env, error::Error, fs, path::Path};

/// The files that declare the services, in the order in which the API is described. They import every other file of the
/// contract.
const SERVICES: [&str; 3] = [
    "moego/business/customer/v1/lead_service.proto",
    "moego/business/customer/v1/customer_service.proto",
    "moego/business/setting/v1/setting_service.proto",
];

/// Messages within requests, in boxes of their own: a request that waits has its place in several futures around one another.
const LARGE: [&str; 2] = [
    ".moego.business.customer.v1.CreateLeadRequest.lead",
    ".moego.business.customer.v1.UpdateLeadRequest.lead",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");

    let mut protox = protox::Compiler::new(["proto"])?;
    protox
        .include_imports(true)
        .include_source_info(true)
        .open_files(SERVICES)?;

    // Encoded by protox, because prost's descriptor types drop the extensions: the HTTP rules and
    // the field behaviours.
    let descriptor = Path::new(&env::var("OUT_DIR")?).join("leash_descriptor.bin");
    fs::write(descriptor, protox.encode_file_descriptor_set())?;

    let mut builder = tonic_prost_build::configure().btree_map(".");
    for message in LARGE {
        builder = builder.boxed(message);
    }
    builder
        .include_file("leash.rs")
        .compile_fds(protox.file_descriptor_set())?;
    Ok(())
}
