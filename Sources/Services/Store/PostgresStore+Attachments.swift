package import Domain
import Postgres

/// What the sending of attachments needs.
package protocol AttachmentStore: Sendable {
    /// Takes files whose document stands in the ledger and that nobody else is sending, for so long.
    func takeAttachments(of organisation: OrganisationKey, limit: Int, lease: Duration) async throws
        -> [OpenAttachment]
    func recordAttachment(_ attachment: OpenAttachment, _ outcome: AttachmentOutcome) async throws
}

package struct OpenAttachment: Sendable {
    package let document: DocumentID
    /// The ledger's id of the document.
    package let xeroID: String
    package let kind: LedgerDocument.Kind
    package let number: String
    package let name: String
    package let mediaType: String
    package let body: [UInt8]
    /// It may have been sent before: look first.
    package let mayBeThere: Bool
}

package enum AttachmentOutcome: Sendable, Hashable {
    /// About to be sent.
    case sending
    case written(id: String)
    case refused(String)
}

extension PostgresStore: AttachmentStore {
    static func attach(
        _ file: NewAttachment, to document: DocumentID, _ organisation: String, _ session: PostgresSession
    ) throws {
        _ = try session.execute(
            """
            INSERT INTO attachment (document_id, organisation, name, media_type, body) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (document_id, name) DO NOTHING
            """,
            [
                .int(document.value), .text(organisation), .text(file.name), .text(file.mediaType), .bytes(file.body),
            ])
    }

    package func takeAttachments(
        of organisation: OrganisationKey, limit: Int, lease: Duration
    ) async throws -> [OpenAttachment] {
        try await pool.transaction { session in
            let rows = try session.query(
                """
                WITH due AS (
                    SELECT a.document_id, a.name, a.state, d.xero_id, d.kind, d.number
                      FROM attachment AS a JOIN document AS d ON d.id = a.document_id
                     WHERE a.organisation = $1 AND a.state IN ('ready', 'sent') AND d.state = 'written'
                       AND (a.lease_until IS NULL OR a.lease_until < now())
                     ORDER BY a.document_id LIMIT $2 FOR UPDATE OF a SKIP LOCKED
                )
                UPDATE attachment AS a SET lease_until = now() + $3 * interval '1 millisecond'
                  FROM due WHERE a.document_id = due.document_id AND a.name = due.name
                RETURNING a.document_id, a.name, a.media_type, a.body, due.state, due.xero_id, due.kind, due.number
                """, [.text(organisation.text), .int(Int64(limit)), .int(lease.milliseconds)])
            return try rows.map { row in
                OpenAttachment(
                    document: DocumentID(try row.int("document_id")), xeroID: try row.text("xero_id"),
                    kind: LedgerDocument.Kind(rawValue: try row.text("kind")) ?? .invoice,
                    number: try row.text("number"), name: try row.text("name"),
                    mediaType: try row.text("media_type"), body: try row.bytes("body"),
                    mayBeThere: try row.text("state") == "sent")
            }
        }
    }

    package func recordAttachment(_ attachment: OpenAttachment, _ outcome: AttachmentOutcome) async throws {
        let place: [PostgresValue] = [.int(attachment.document.value), .text(attachment.name)]
        let (sql, parameters): (String, [PostgresValue]) =
            switch outcome {
            case .sending: ("state = 'sent'", [])
            case .written(let id): ("state = 'written', xero_id = $3, cause = NULL, lease_until = NULL", [.text(id)])
            case .refused(let cause): ("state = 'refused', cause = $3, lease_until = NULL", [.text(cause)])
            }
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE attachment SET \(sql) WHERE document_id = $1 AND name = $2 AND state <> 'written'",
                place + parameters)
        }
    }
}
