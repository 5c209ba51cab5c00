/// The bounds and habits of one ``HTTPClient``.
package struct HTTPConfiguration: Sendable {
    /// TCP connections to one host and port. HTTP/2 carries up to 100 requests on each, HTTP/1.1 one at a time.
    package var maxConnectionsPerHost: Int
    package var maxTotalConnections: Int
    /// Requests handed to libcurl at once.
    package var maxConcurrentRequests: Int
    /// Requests that may wait for one of those places; one more is refused as `neverSent(overloaded)`.
    package var maxQueuedRequests: Int
    /// A PEM file that *replaces* the system's trusted certificates.
    package var trustedCertificates: String?
    /// Offer HTTP/2 in the TLS handshake. Without TLS it is always HTTP/1.1.
    package var allowHTTP2: Bool
    package var userAgent: String
    /// A kept connection idle for longer is not used again (whole seconds). Keep it below the peer's own limit: a
    /// connection that the peer closes just as a request goes out makes that request's outcome `unknown`.
    package var idleConnectionLifetime: Duration

    package init(
        maxConnectionsPerHost: Int = 16,
        maxTotalConnections: Int = 64,
        maxConcurrentRequests: Int = 256,
        maxQueuedRequests: Int = 4_096,
        trustedCertificates: String? = nil,
        allowHTTP2: Bool = true,
        userAgent: String = "tillbridge",
        idleConnectionLifetime: Duration = .seconds(30)
    ) {
        precondition(maxConnectionsPerHost > 0 && maxTotalConnections > 0, "a client needs at least one connection")
        precondition(maxConcurrentRequests > 0 && maxQueuedRequests >= 0, "a client needs at least one place")
        precondition(!userAgent.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "a user agent is one line")
        self.maxConnectionsPerHost = maxConnectionsPerHost
        self.maxTotalConnections = maxTotalConnections
        self.maxConcurrentRequests = maxConcurrentRequests
        self.maxQueuedRequests = maxQueuedRequests
        self.trustedCertificates = trustedCertificates
        self.allowHTTP2 = allowHTTP2
        self.userAgent = userAgent
        self.idleConnectionLifetime = idleConnectionLifetime
    }
}
