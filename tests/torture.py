"""Odd messages: the situations of RFC 4475's torture list, each in a message of our own, and what becomes of it here.

What comes out is what Kamailio makes of such a message: it reads what it needs and no further, so much that the RFC
calls invalid passes, and some of what it calls valid cannot be read to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VIA = "Via: SIP/2.0/UDP pbx.example.net:5060;branch=z9hG4bKtort"
FROM = 'From: "Mona" <sip:mona@example.net>;tag=m1'
TO = "To: <sip:desk@example.com>"
CALL_ID = "Call-ID: tort@example.net"


def made(first: str, *headers: str, body: str = "", drop: tuple[str, ...] = (), cseq: str = "") -> str:
    """A message with the usual headers in front of the given ones, but for those that `drop` names."""
    method = first.split(" ")[0]
    usual = [VIA, FROM, TO, CALL_ID, f"CSeq: {cseq or f'7 {method}'}", "Max-Forwards: 70"]
    lines = [line for line in usual if line.partition(":")[0] not in drop]
    return "\r\n".join([first, *lines, *headers]) + "\r\n\r\n" + body


@dataclass(frozen=True)
class Odd:
    """`reads`: attributes of the message, or variables where the name begins with `$`, and their values."""

    name: str
    text: str
    reads: dict[str, object] = field(default_factory=dict)
    fault: str = ""  # why the message is dropped
    bad: str = ""  # why its headers cannot be read to their end


INVITE = "INVITE sip:desk@example.com SIP/2.0"
OPTIONS = "OPTIONS sip:desk@example.com SIP/2.0"
REGISTER = "REGISTER sip:example.com SIP/2.0"
PARTS = "--cut\r\nContent-Type: text/plain\r\n\r\none\r\n--cut\r\nContent-Type: a/b\r\n\r\n\0\xff\r\n--cut--\r\n"

VALID = [
    Odd(
        "blanks and folds wherever they may stand",
        "INVITE sip:desk@example.com;unheard=of SIP/2.0\r\n"
        "v:  SIP  / 2.0  / TCP     pbx.example.net  :  5070\r\n  ;branch  =  z9hG4bKfold  ,\r\n"
        "   SIP/2.0/UDP second.example.net;branch=z9hG4bK2;hidden\r\n"
        "TO :\r\n sip:desk@example.com ;   tag    = there\r\n"
        'f :  "Mona \\\\\\"M\\\\\\"" \r\n    <sip:mona@example.net>\r\n ;\r\n  tag = here\r\n'
        "MAX-fOrWaRdS: 0068\r\n"
        "Call-id: fold@example.net\r\n"
        "cseq: 0009\tINVITE\r\n"
        "X-Unheard-Of: ;;,,;;,;\r\n \t what comes\r\n"
        "\tbehind\r\n"
        'm:"Mona with a \\"quote\\"" <sip:mona@pbx.example.net;p=%3d>;q=0.5;p="a\\"b"\r\n'
        "L: 0\r\n\r\n",
        {
            "method": "INVITE",
            "$tt": "there",
            "$ft": "here",
            "$cs": "0009",
            "$via0(host)": "pbx.example.net",
            "$via0(port)": 5070,
            "$via0(branch)": "z9hG4bKfold",
            "$via1(host)": "second.example.net",
            "$hdr(X-Unheard-Of)": ";;,,;;,;\r\n \t what comes\r\n\tbehind",
            "$cl": "0",
        },
    ),
    Odd(
        "every character that a method, a name and a token may have",
        made(
            "!odd-Method_0~*+`.%indeed' sip:1_A!a~*'();&=+$,/%2F:p&=+$,@[2001:db8::7]:5070 SIP/2.0",
            "odd-Name_0~+.: value",
            cseq="7 !odd-Method_0~*+`.%indeed'",
        ),
        {
            "method": "!odd-Method_0~*+`.%indeed'",
            "method_id": 1 << 19,
            "$rd": "[2001:db8::7]",
            "$rp": "5070",
            "$hdr(odd-Name_0~+.)": "value",
        },
    ),
    Odd(
        "a header name with characters that Kamailio takes no name to have",
        made(OPTIONS, "!odd*'Name`: value", "User-Agent: behind it"),
        {"$ua": None, "$ci": "tort@example.net"},
        bad="it has a line that is no header",
    ),
    Odd(
        "% escapes in a URI stay as they are",
        made("INVITE sip:de%73k%40home@example.com SIP/2.0"),
        {"$rU": "de%73k%40home", "$rd": "example.com"},
    ),
    Odd("an escaped NUL in a URI", made("REGISTER sip:null-%00-null@example.com SIP/2.0"), {"$rU": "null-%00-null"}),
    Odd(
        "% that escapes nothing",
        made("RE%47IST%45R sip:example.com SIP/2.0", "Contact: <sip:a%20b@pbx.example.net>", cseq="8 RE%47IST%45R"),
        {"$rm": "RE%47IST%45R", "method_id": 1 << 19, "$ctu": "sip:a%20b@pbx.example.net"},
    ),
    Odd(
        "no blank between a display name and its <",
        made(OPTIONS, "From: Mona<sip:mona@example.net>;tag=lws", drop=("From",)),
        {"$fn": "Mona", "$fu": "sip:mona@example.net", "$ft": "lws"},
    ),
    Odd(
        "very long values",
        made(
            f"INVITE sip:{'desk' * 400}@example.com SIP/2.0",
            f"From: <sip:mona@example.net>;tag={'t' * 3000}",
            f"Contact: <sip:{'c' * 2000}@pbx.example.net>",
            f"X-Long: {'x' * 30000}",
            drop=("From",),
        ),
        {"$rUl": 1600, "$ft": "t" * 3000, "$hdr(X-Long)": "x" * 30000},
    ),
    Odd(
        "more bytes than Content-Length tells of",
        made(REGISTER, "Content-Length: 0", body="INVITE sip:x SIP/2.0\r\n"),
        {"$cl": "0", "$bs": 22},
    ),
    Odd(
        "parameters in the user part",
        made("OPTIONS sip:desk;par=u%40example.org@example.com SIP/2.0"),
        {"$rU": "desk;par=u%40example.org", "$rd": "example.com"},
    ),
    Odd(
        "transports that are known, and one that is not",
        made(
            OPTIONS,
            "Via: SIP/2.0/FANCY a.example.net;branch=z9hG4bKa",
            "Via: SIP/2.0/SCTP b.example.net",
            "Via: SIP/2.0/TLS c.example.net",
            drop=("Via",),
        ),
        {"$via0(proto)": "FANCY", "$via0(protoid)": 0, "$via1(proto)": "SCTP", "$viaZ(proto)": "TLS", "$hflc(Via)": 3},
    ),
    Odd(
        "a body of several parts, one of them of any bytes",
        made(
            "MESSAGE sip:desk@example.com SIP/2.0",
            "Content-Type: multipart/mixed;boundary=cut",
            f"Content-Length: {len(PARTS)}",
            body=PARTS,
        ),
        {"body": PARTS, "$cT": "multipart/mixed;boundary=cut"},
    ),
    Odd(
        "a reason of any bytes",
        made("SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xb5", cseq="7 OPTIONS"),
        {"status": 200, "reason": "= 2**3 * 5**2 \xd0\xbd\xd0\xb5"},
    ),
    Odd("an empty reason", made("SIP/2.0 100 ", cseq="7 OPTIONS"), {"status": 100, "reason": ""}),
]

INVALID = [
    Odd(
        "separators with nothing between them in Via",
        made(INVITE, "Via: SIP/2.0/UDP pbx.example.net;;,;,,", drop=("Via",)),
        fault="its Via cannot be read",
    ),
    Odd(
        "separators with nothing between them in Contact",
        made(INVITE, 'Contact: "Mona" <sip:mona@example.net>;;,,;'),
        {"$ctu": None, "$ci": "tort@example.net"},
    ),
    Odd(
        "a Content-Length larger than the body",
        made(INVITE, "Content-Length: 9999", body="v=0\r\n"),
        {"$cl": "9999", "body": "v=0\r\n"},
    ),
    Odd(
        "a negative Content-Length",
        made(INVITE, "Content-Length: -999", body="v=0\r\n"),
        {"$cl": None, "body": None},
        bad="its Content-Length cannot be read",
    ),
    Odd(
        "numbers that are far too large",
        made(
            REGISTER,
            "Max-Forwards: 300",
            "Expires: 1" + "0" * 99,
            cseq="36893488147419103232 REGISTER",
            drop=("Max-Forwards",),
        ),
        {"$cs": "36893488147419103232", "$expires(max)": 0, "$hdr(Max-Forwards)": "300"},
    ),
    Odd(
        "a reply with numbers that are far too large",
        made(
            "SIP/2.0 503 Service Unavailable",
            "Retry-After: 949302838503028349304023988",
            "Warning: 1812 overture",
            cseq="9292394834772304023312 OPTIONS",
        ),
        {"$cs": "9292394834772304023312", "$hdr(Warning)": None},
        bad="its Retry-After cannot be read",
    ),
    Odd(
        "a display name whose quote does not end",
        made(INVITE, 'To: "Mr. Desk <sip:desk@example.com>', drop=("To",)),
        fault="its To cannot be read",
    ),
    Odd(
        "a request URI inside < and >",
        made("INVITE <sip:desk@example.com> SIP/2.0"),
        {"$ru": "<sip:desk@example.com>", "$rU": None, "parsed_uri": None},
    ),
    Odd(
        "a blank inside the request URI",
        made("INVITE sip:desk@example.com; lr SIP/2.0"),
        fault="the first line is neither that of a request nor that of a reply",
    ),
    Odd(
        "two blanks behind the method",
        made("INVITE  sip:desk@example.com SIP/2.0"),
        fault="the first line is neither that of a request nor that of a reply",
    ),
    Odd("two blanks behind the request URI", made("INVITE sip:desk@example.com  SIP/2.0"), {"$rU": "desk"}),
    Odd("blanks behind the version", made("OPTIONS sip:desk@example.com SIP/2.0  "), {"$rv": "SIP/2.0"}),
    Odd(
        "headers in the request URI",
        made("INVITE sip:desk@example.com?Route=%3Csip:x.example.com%3E SIP/2.0"),
        {"$rU": "desk", "$rd": "example.com", "$hdr(Route)": None},
    ),
    Odd(
        "a Date in a zone that SIP does not have",
        made(INVITE, "Date: Fri, 01 Jan 2010 16:00:00 EST"),
        {"$hdr(Date)": "Fri, 01 Jan 2010 16:00:00 EST"},
    ),
    Odd(
        "a Contact with headers in its URI and no < around it",
        made(REGISTER, "Contact: sip:mona@example.net?Route=x"),
        {"$ctu": "sip:mona@example.net?Route=x"},
    ),
    Odd(
        "blanks inside an address",
        made(OPTIONS, 'To: "Desk" < sip:desk@example.com >', drop=("To",)),
        {"$tu": "sip:desk@example.com", "$tn": '"Desk"'},
    ),
    Odd(
        "a display name of words that are no tokens",
        made(OPTIONS, "From: Mona, the first, (one) <sip:mona@example.net>;tag=baddn", drop=("From",)),
        {"$fn": "Mona, the first, (one)", "$fu": "sip:mona@example.net"},
    ),
    Odd(
        "a version that is not known",
        made("OPTIONS sip:desk@example.com SIP/7.0"),
        fault="the first line does not end with SIP/2.0",
    ),
    Odd("a CSeq with another method", made(OPTIONS, cseq="8 INVITE"), {"$rm": "OPTIONS", "cseq": ("8", "INVITE")}),
    Odd(
        "an unknown method, and another one in CSeq",
        made("NEWMETHOD sip:desk@example.com SIP/2.0", cseq="8 INVITE"),
        {"$rm": "NEWMETHOD", "method_id": 1 << 19, "cseq": ("8", "INVITE")},
    ),
    Odd(
        "a status of ten digits",
        made("SIP/2.0 4294967301 better not break", cseq="7 INVITE"),
        fault="the first line is neither that of a request nor that of a reply",
    ),
]

TRANSACTIONS = [
    Odd(
        "a branch that is nothing but the cookie",
        made(OPTIONS, "Via: SIP/2.0/UDP pbx.example.net;rport;branch=z9hG4bK", drop=("Via",)),
        {"$via0(branch)": "z9hG4bK"},
    ),
]

APPLICATION = [
    Odd("no Call-ID, From or To", made(INVITE, drop=("Call-ID", "From", "To")), fault="it has no Call-ID"),
    Odd(
        "a scheme that nobody knows",
        made("OPTIONS nobodyKnowsThisScheme:totallyopaque SIP/2.0"),
        {"$ru": "nobodyKnowsThisScheme:totallyopaque", "$rU": None},
    ),
    Odd(
        "a scheme that SIP does not use",
        made("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
        {"$ru": "soap.beep://192.0.2.103:3002", "$rd": None},
    ),
    Odd(
        "unknown schemes in headers",
        made(
            REGISTER,
            "From: <http://www.example.com>;tag=1",
            "To: isbn:2983792873",
            "Contact: <name:mona>",
            drop=("From", "To"),
        ),
        {"$fu": "http://www.example.com", "$fU": None, "$tu": "isbn:2983792873", "$ctu": "name:mona"},
    ),
    Odd(
        "extensions that nobody knows are required",
        made(OPTIONS, "Require: none.such", "Proxy-Require: nor.this"),
        {"$hdr(Require)": "none.such", "$hdr(Proxy-Require)": "nor.this"},
    ),
    Odd(
        "a body of an unknown type",
        made(INVITE, "Content-Type: application/unheard", "Content-Length: 1", body="<"),
        {"$cT": "application/unheard", "body": "<"},
    ),
    Odd(
        "credentials of an unknown scheme",
        made(REGISTER, "Authorization: NoOneKnows opaque-data=here"),
        {"$au": None, "$ar": None},
    ),
    Odd(
        "headers twice that may be there once",
        made(
            INVITE,
            "CSeq: 59 INVITE",
            "Call-ID: second@example.net",
            "From: Second <sip:two@example.net>;tag=2",
            "Max-Forwards: 5",
            "To: <sip:two@example.com>",
        ),
        {"$cs": "7", "$ci": "tort@example.net", "$hdr(Via)": None},
        bad="it has a second CSeq",
    ),
    Odd(
        "two Content-Lengths that differ",
        made(OPTIONS, "Content-Length: 13", "Content-Length: 5", body="hello hello x"),
        {"$cl": "13", "body": None},
        bad="it has a second Content-Length",
    ),
    Odd(
        "a reply whose Via leads to everybody",
        made("SIP/2.0 200 OK", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKlast", cseq="7 INVITE"),
        {"$via1(host)": "255.255.255.255"},
    ),
    Odd("Max-Forwards of 0", made(OPTIONS, "Max-Forwards: 0", drop=("Max-Forwards",)), {"$hdr(Max-Forwards)": "0"}),
    Odd(
        "a parameter of Contact that nobody knows",
        made(REGISTER, "Contact: <sip:mona@pbx.example.net>;unknownparam"),
        {"$ctu": "sip:mona@pbx.example.net"},
    ),
    Odd(
        "a parameter of a Contact's URI that nobody knows",
        made(REGISTER, "Contact: <sip:mona@pbx.example.net;unknownparam>"),
        {"$ctu": "sip:mona@pbx.example.net;unknownparam"},
    ),
    Odd(
        "an escaped parameter in a Contact's URI",
        made(REGISTER, "Contact: <sip:mona%40b@x;unk=a%3bb>;expires=5"),
        {"$ctu": "sip:mona%40b@x;unk=a%3bb", "$expires(min)": 5},
    ),
    Odd(
        "a body of a type that Accept does not name",
        made(INVITE, "Accept: text/nobodyKnowsThis"),
        {"$hdr(Accept)": "text/nobodyKnowsThis"},
    ),
    Odd(
        "an INVITE of RFC 2543: no branch, no tag, no Max-Forwards",
        made(
            "INVITE sip:desk@example.com SIP/2.0",
            "Via: SIP/2.0/UDP iftgw.example.net",
            "From: <sip:+1@gw;user=phone>",
            drop=("Via", "From", "Max-Forwards"),
        ),
        {"$via0(branch)": None, "$ft": None, "$fu": "sip:+1@gw;user=phone"},
    ),
]
ALL = [*VALID, *INVALID, *TRANSACTIONS, *APPLICATION]
