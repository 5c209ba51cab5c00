import CCurl

/// One easy handle and the request that sits on it. Reused for the next request, because a handle costs more than a
/// small request. Used by the client's thread only.
final class Transfer {
    let easy = EasyHandle()
    /// Written by libcurl, read when a transfer failed.
    let errorText = FixedBytes(zeroes: Int(CURL_ERROR_SIZE))
    private(set) var arrival: Arrival?
    private(set) var collector = ResponseCollector(bodyBytesMax: 0)
    /// libcurl was about to write the request: from here on, the peer may have it.
    private(set) var mayHaveBeenSent = false
    /// libcurl wanted to write it once more on another connection, and was stopped.
    private(set) var hasRefusedResend = false
    private(set) var redirectsFollowed = 0
    /// Of the present hop.
    private(set) var method = HTTPMethod.get
    private(set) var url = ""
    // Both are read by libcurl while the transfer runs.
    private var headerList = HeaderList()
    private var body = FixedBytes(zeroes: 0)
    private var isMidHop = false

    var ticket: Ticket? { arrival?.ticket }

    /// What the callbacks get. Unretained: this object owns the handle and outlives it, so no callback can come later.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static func at(_ context: UnsafeMutableRawPointer) -> Transfer {
        Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// Makes the handle ready to be added to the multi handle.
    /// - Returns: an error if libcurl refuses an option.
    func sit(_ arrival: Arrival, configuration: HTTPConfiguration) -> HTTPError? {
        self.arrival = arrival
        mayHaveBeenSent = false
        redirectsFollowed = 0
        let request = arrival.request
        return prepare(request, method: request.method, url: request.url, configuration: configuration)
    }

    /// Makes the handle ready for the next hop of a redirect. The handle is out of the multi handle.
    func sitAgain(method: HTTPMethod, url: String, configuration: HTTPConfiguration) -> HTTPError? {
        guard let request = arrival?.request else { preconditionFailure("a redirect without a request") }
        redirectsFollowed += 1
        return prepare(request, method: method, url: url, configuration: configuration)
    }

    /// Gives up what the request held. The handle keeps its share of libcurl's memory for the next one.
    func rise() {
        arrival = nil
        collector = ResponseCollector(bodyBytesMax: 0)
        headerList = HeaderList()
        body = FixedBytes(zeroes: 0)
    }

    private func prepare(
        _ request: HTTPRequest, method: HTTPMethod, url: String, configuration: HTTPConfiguration
    ) -> HTTPError? {
        collector = ResponseCollector(bodyBytesMax: request.maxResponseBytes)
        isMidHop = false
        hasRefusedResend = false
        self.method = method
        self.url = url
        // A 303 turned the method into get: the body and what describes it stay behind.
        let body = method.isSafe ? nil : request.body
        headerList = lines(of: request, body: body, method: method)
        self.body = FixedBytes(copying: body ?? [])
        errorText.memory[0] = 0

        var options = EasyOptions(easy: easy.raw)
        options.setHabits(configuration, context: context, errorText: errorText.memory)
        options.setRequest(
            url: url, method: method, headers: headerList.raw, body: body == nil ? nil : self.body.memory,
            connectTimeout: request.connectTimeout, allowHTTP2: configuration.allowHTTP2)
        guard options.firstFailure != CURLE_OK else { return nil }
        let code = options.firstFailure
        return HTTPError(
            code: .other, curlCode: Int(code.rawValue), request: request,
            detail: "libcurl refuses an option: \(String(cString: curl_easy_strerror(code)))")
    }

    private func lines(of request: HTTPRequest, body: [UInt8]?, method: HTTPMethod) -> HeaderList {
        var list = HeaderList()
        list.append("Expect:")
        var hasType = false
        for (name, value) in request.headers {
            if matches(name, "expect") { continue }
            if matches(name, "content-type") {
                // After a 303 there is no body to describe.
                if method.isSafe && !request.method.isSafe { continue }
                hasType = true
            }
            // libcurl takes "Name:" as an order to remove a header; "Name;" sends it empty.
            let isBlank = value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            list.append(isBlank ? "\(name);" : "\(name): \(value)")
        }
        // Or libcurl would call every body a form.
        if !hasType { list.append("Content-Type:") }
        return list
    }

    // MARK: Called from libcurl, inside curl_multi_perform

    func takeHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool { collector.takeHeaderLine(line) }

    func takeBody(_ chunk: UnsafeRawBufferPointer) -> Bool { collector.takeBody(chunk) }

    /// A connection stands and the request is about to be written on it. Comes again when libcurl, without asking,
    /// repeats a request whose kept connection died before the first byte of an answer.
    /// - Returns: whether it may be written.
    func aboutToSend() -> Bool {
        if isMidHop && !method.isSafe {
            hasRefusedResend = true
            return false
        }
        isMidHop = true
        mayHaveBeenSent = true
        return true
    }
}
