# The commands of development; `just` lists them.

tools := env("CARGO_TARGET_DIR", justfile_directory() / "target") / "tools"

[private]
default:
    @just --list

# Serve on an SQLite file of your own: leash.db
run *options:
    cargo run --release -- serve --database-url sqlite://leash.db {{ options }}

# Serve the demo company on 127.0.0.1:50051
demo *options:
    cargo run --release -- demo {{ options }}

# Run the tests, on SQLite and PostgreSQL
test *options:
    cargo test {{ options }}

# Check the code with clippy
lint:
    cargo clippy --all-targets --locked -- -D warnings

# Check the contract's rules and formatting
proto-lint: tools
    {{ tools }}/buf lint
    {{ tools }}/buf format --diff --exit-code

# Format code and contract
fmt: tools
    cargo fmt
    {{ tools }}/buf format --write

# Install buf, grpcurl and the Python and Node packages of the smoke tests into target/tools
tools:
    .ci/tools

# Take the README's picture of /docs, while `just demo` is running
docs-picture: tools
    node tests/smoke/docs.mjs 127.0.0.1:50051 leash-demo-key {{ tools }}/node_modules docs/images/docs-page.png

# Write the tables of docs/configuration.md anew
configuration:
    sed -i '/^<!-- Made by/q' docs/configuration.md
    cargo run --quiet -- config reference >> docs/configuration.md

# Measure leash beside what bounds it and what would stand in its place; docs/performance.md tells how
bench *options: tools
    cargo bench --profile dist --bench load -- {{ options }}

# Count the instructions of messages, validation, page tokens and JSON, and compare them
instructions *options:
    cargo bench --bench instructions -- {{ options }}

# All that must hold before a change goes in
ci:
    .ci/run
