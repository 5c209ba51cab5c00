import CCurl

extension Transfer {
    /// What became of the request, told by libcurl's verdict and by what was seen of the transfer itself.
    func outcome(of code: CURLcode) -> HTTPOutcome {
        if code == CURLE_OK {
            guard collector.hasAllHeaders else {
                return failure(.connectionLost, "the answer ended within its headers", curlCode: code)
            }
            if redirectsFollowed > 0, redirectsFollowed == limit, redirect() != nil {
                return failure(.tooManyRedirects, "more than \(limit) redirects")
            }
            return .answered(collector.response())
        }
        if hasRefusedResend {
            let detail = "the kept connection died; the request may have arrived and was not sent again"
            return failure(.connectionLost, detail, curlCode: code)
        }
        if collector.isTooLarge { return failure(.responseTooLarge, "the answer passes its bound", curlCode: code) }
        return failure(Self.errorCode(of: code), detail(of: code), curlCode: code)
    }

    /// `neverSent` only while libcurl has not come to the point of writing the request, on any connection and any hop.
    func failure(_ code: HTTPError.Code, _ detail: String, curlCode: CURLcode = CURLE_OK) -> HTTPOutcome {
        guard let request = arrival?.request else { preconditionFailure("a failure without a request") }
        let error = HTTPError(code: code, curlCode: Int(curlCode.rawValue), request: request, detail: detail)
        return mayHaveBeenSent ? .unknown(error) : .neverSent(error)
    }

    /// Where to go on, if this answer is a redirect that the request lets us follow.
    func nextHop(after code: CURLcode) -> (method: HTTPMethod, url: String)? {
        guard code == CURLE_OK, collector.hasAllHeaders, redirectsFollowed < limit else { return nil }
        return redirect()
    }

    private var limit: Int { arrival?.request.followRedirects ?? 0 }

    private func redirect() -> (method: HTTPMethod, url: String)? {
        guard let location = collector.headers["Location"],
              let target = redirectTarget(from: url, location: location) else { return nil }
        switch collector.status {
        case 307, 308: return (method, target)
        case 303: return (method == .head ? .head : .get, target)
        case 301, 302: return method.isSafe ? (method, target) : nil
        default: return nil
        }
    }

    /// libcurl's own words name hosts, ports and certificates, and are taken only where they say more than the code.
    private func detail(of code: CURLcode) -> String {
        let text = String(decoding: errorText.memory.prefix { $0 != 0 }, as: UTF8.self)
        switch Self.errorCode(of: code) {
        case .dns, .connect, .tls:
            if !text.isEmpty { return text }
        case .timedOut:
            // Total time is not libcurl's business here, so only its connect time-out can have passed.
            return "no connection in \(arrival?.request.connectTimeout ?? .zero)"
        default: break
        }
        return String(cString: curl_easy_strerror(code))
    }

    private static func errorCode(of code: CURLcode) -> HTTPError.Code {
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badURL
        case CURLE_COULDNT_RESOLVE_HOST: .dns
        case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED: .connect
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
             CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS: .tls
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2,
             CURLE_HTTP2_STREAM, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING,
             CURLE_SEND_FAIL_REWIND: .connectionLost
        default: .other
        }
    }
}

/// The absolute URL `location` leads to from `url`, if it stays on the same scheme, host and port; nil otherwise.
func redirectTarget(from url: String, location: String) -> String? {
    guard !location.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }),
          let here = curl_url() else { return nil }
    defer { curl_url_cleanup(here) }
    guard url.withCString({ curl_url_set(here, CURLUPART_URL, $0, 0) }) == CURLUE_OK else { return nil }
    let before = origin(here)
    // Resolves a relative location against what the handle holds (RFC 3986, 5.2).
    guard location.withCString({ curl_url_set(here, CURLUPART_URL, $0, 0) }) == CURLUE_OK,
          let before, origin(here) == before else { return nil }
    return part(CURLUPART_URL, of: here)
}

private func origin(_ url: OpaquePointer) -> [String]? {
    guard let scheme = part(CURLUPART_SCHEME, of: url), let host = part(CURLUPART_HOST, of: url),
          let port = part(CURLUPART_PORT, of: url) else { return nil }
    return [scheme.lowercased(), host.lowercased(), port]
}

private func part(_ part: CURLUPart, of url: OpaquePointer) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(url, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
}
