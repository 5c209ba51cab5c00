package import Domain
import HTTP
import JSON

/// Files that go with documents.
package protocol AttachmentLedger: Sendable {
    /// The names and ids of what is attached to a document.
    func attachments(of kind: LedgerDocument.Kind, id: String) async throws -> Lookup<[LedgerAttachment]>
    /// Attaches a file. A second call with the same name would attach it once more: look before.
    func attach(
        _ file: FileToAttach, to kind: LedgerDocument.Kind, id: String, key: String
    ) async throws -> Lookup<LedgerAttachment>
}

package struct LedgerAttachment: Sendable, Hashable {
    package let id: String
    package let name: String

    package init(id: String, name: String) {
        self.id = id
        self.name = name
    }
}

package struct FileToAttach: Sendable {
    package let name: String
    package let mediaType: String
    package let body: [UInt8]

    package init(name: String, mediaType: String, body: [UInt8]) {
        self.name = name
        self.mediaType = mediaType
        self.body = body
    }
}

extension XeroClient: AttachmentLedger {
    // Nobody waits for a listing: behind everything else that an organisation's allowance is for.

    package func attachments(
        of kind: LedgerDocument.Kind, id: String
    ) async throws -> Lookup<[LedgerAttachment]> {
        let permit = try await reserve(.backfill)
        return try await lookUp(
            "/\(kind.endpoint)/\(Self.percentEncoded(id))/Attachments", permit: permit, Self.attachments)
    }

    package func attach(
        _ file: FileToAttach, to kind: LedgerDocument.Kind, id: String, key: String
    ) async throws -> Lookup<LedgerAttachment> {
        let permit = try await reserve(.backfill)
        let path = "/\(kind.endpoint)/\(Self.percentEncoded(id))/Attachments/\(Self.percentEncoded(file.name))"
        let outcome = try await call(
            .put, path, body: file.body, idempotencyKey: key, permit: permit, mediaType: file.mediaType)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        let made = (try? JSON(parsing: response.body)).flatMap(Self.attachments)?.first { $0.name == file.name }
        guard let made else { return .failed(.unknown("the answer to PUT \(path) is not understood")) }
        return .found(made)
    }

    private static func attachments(_ json: JSON) -> [LedgerAttachment]? {
        json["Attachments"]?.elements.compactMap { attachment in
            guard let id = attachment["AttachmentID"]?.string, let name = attachment["FileName"]?.string else {
                return nil
            }
            return LedgerAttachment(id: id, name: name)
        }
    }
}
