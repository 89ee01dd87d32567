//! A few calls by hand, to prepare and to compare.

use std::{net::SocketAddr, time::Duration};

use leash::pb::customer::{
    CreateLeadRequest, GetLeadRequest, Lead, ListLeadsRequest, ListLeadsResponse,
    lead_service_client::LeadServiceClient,
};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint},
};

use crate::{Outcome, contenders::Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one server.
pub struct Asker {
    client: LeadServiceClient<Channel>,
    key: String,
}

impl Asker {
    pub async fn of(server: &Server) -> Outcome<Self> {
        Self::at(server.address(), &server.key).await
    }

    pub async fn at(address: SocketAddr, key: &str) -> Outcome<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.timeout(PATIENCE);
        Ok(Self {
            client: LeadServiceClient::new(endpoint.connect().await?),
            key: key.to_owned(),
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(key) = format!("Bearer {}", self.key).parse() {
            request.metadata_mut().insert("authorization", key);
        }
        request
    }

    pub async fn get(&self, message: GetLeadRequest) -> Result<Lead, Status> {
        let answer = self.client.clone().get_lead(self.request(message)).await?;
        Ok(answer.into_inner())
    }

    pub async fn list(&self, message: ListLeadsRequest) -> Result<ListLeadsResponse, Status> {
        let answer = self
            .client
            .clone()
            .list_leads(self.request(message))
            .await?;
        Ok(answer.into_inner())
    }

    pub async fn create(&self, message: CreateLeadRequest) -> Result<Lead, Status> {
        let answer = self
            .client
            .clone()
            .create_lead(self.request(message))
            .await?;
        Ok(answer.into_inner())
    }
}
