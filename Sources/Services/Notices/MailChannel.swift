import Domain
import Mail
package import Settings
package import Store

/// Mail by SMTP with TLS.
package struct MailChannel: NoticeChannel {
    package let name: String
    private let client: MailClient
    private let from: String
    private let to: [String]

    /// Nil where the address of the server cannot be read.
    package init?(_ settings: AlertChannelSettings, trustedCertificates: String?) {
        guard let address = MailServer.address(settings.server) else { return nil }
        name = settings.name
        from = settings.from
        to = settings.to
        client = MailClient(
            name: "tb-mail",
            server: MailServer(
                host: address.host, port: address.port, isImplicitTLS: address.isImplicitTLS,
                user: settings.credential?.user, password: settings.credential?.password.revealed,
                trustedCertificates: trustedCertificates))
    }

    package func send(_ delivery: AlertDelivery, now: Int64) async throws(NoticeError) {
        // The host of our own address: it is ours to name ids under.
        let host = from.split(separator: "@").last ?? "localhost"
        let mail = Mail(
            from: from, to: to, subject: delivery.subject, text: delivery.body,
            messageID: "tillbridge-\(delivery.id)-\(delivery.createdAt.microseconds)@\(host)", date: now)
        do throws(MailError) { try await client.send(mail) } catch {
            // 67: user or password refused; 60 and 77: the certificate; 55: an address refused.
            throw NoticeError(error.description, isRefused: [55, 60, 67, 77].contains(error.curlCode))
        }
    }
}
