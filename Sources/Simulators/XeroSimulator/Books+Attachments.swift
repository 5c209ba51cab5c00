internal import JSON

/// Files attached to documents: `/{Invoices|CreditNotes}/{id}/Attachments[/{FileName}]`, as the contract says.
extension Books {
    /// The vendor's bounds: ten files a document, 25 MB each.
    private static let attachmentsMax = 10
    private static let attachmentBytesMax = 25_000_000

    mutating func attachments(_ kind: DocumentKind, _ index: Int, _ call: Call) -> Answer {
        let document = document(kind, index)
        switch (call.method, call.path.count) {
        case ("GET", 3): return listing(document.attachments, of: kind, document, call)
        case ("GET", 4):
            let name = call.path[3]
            guard let file = document.attachments.last(where: { $0.name == name || $0.id == XeroID(name) }) else {
                return .notFound
            }
            return Answer(contentType: file.mediaType, body: file.body)
        case ("PUT", 4), ("POST", 4): return attach(kind, index, call)
        default: return .notFound
        }
    }

    private mutating func attach(_ kind: DocumentKind, _ index: Int, _ call: Call) -> Answer {
        let name = call.path[3]
        let forbidden: Set<Character> = ["<", ">", ":", "\"", "/", "\\", "|", "?", "*"]
        guard !call.body.isEmpty, call.body.count <= Self.attachmentBytesMax else {
            return .invalid("The attachment is empty or too large", number: 10, type: "ValidationException")
        }
        guard !name.isEmpty, name.count <= 255, !name.contains(where: forbidden.contains) else {
            return .invalid("The file name cannot be used", number: 10, type: "ValidationException")
        }
        let known = document(kind, index).attachments.firstIndex { $0.name == name }
        // POST replaces the file of that name, PUT makes one: a second PUT of a name makes a second file.
        if call.method == "POST", let known {
            change(kind, index) { $0.attachments[known].body = call.body }
        } else {
            guard document(kind, index).attachments.count < Self.attachmentsMax else {
                return .invalid(
                    "A document can have at most 10 attachments", number: 10, type: "ValidationException")
            }
            let file = Attachment(id: ids.identifier(), name: name, mediaType: call.mediaType, body: call.body)
            change(kind, index) { $0.attachments.append(file) }
        }
        let document = document(kind, index)
        let made = call.method == "POST" ? known.map { document.attachments[$0] } : nil
        return listing([made ?? document.attachments[document.attachments.count - 1]], of: kind, document, call)
    }

    private func listing(
        _ files: [Attachment], of kind: DocumentKind, _ document: Document, _ call: Call
    ) -> Answer {
        let endpoint = kind == .invoice ? "Invoices" : "CreditNotes"
        return envelope(call, "Attachments") { _, writer in
            for file in files {
                writer.object { writer in
                    writer.field("AttachmentID", file.id.text)
                    writer.field("FileName", file.name)
                    writer.field(
                        "Url",
                        "https://api.xero.com/api.xro/2.0/\(endpoint)/\(document.id.text)/Attachments/"
                            + Query.escaped(file.name))
                    writer.field("MimeType", file.mediaType)
                    writer.field("ContentLength", file.body.count)
                }
            }
        }
    }
}
