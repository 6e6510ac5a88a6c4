"""The words that kamailio.cfg reserves, and the terminal of grammar/kamailio.lark that each one is (core/cfg.lex).

In the tables a word may carry other spellings of the same thing behind slashes; the first is the canonical one. The
set is that of Kamailio 6.1.4. This module knows no rules: what may follow a word stands in the grammar.
"""

from __future__ import annotations

# Global parameters, by the form of their value.
PARAMETERS = {
    "P_NUMBER": """
        advertised_port async_nonblock async_usleep async_workers auto_aliases auto_bind_ipv6 auto_domains
        bind_ipv6_link_local check_via children disable_core_dump disable_sctp disable_tcp disable_tls/tls_disable dns
        dns_cache_del_nonexp/dns_cache_delete_nonexpired dns_cache_flags dns_cache_gc_interval dns_cache_init
        dns_cache_max_ttl dns_cache_mem dns_cache_min_ttl dns_cache_negative_ttl dns_cache_rec_pref
        dns_naptr_ignore_rfc dns_retr_no dns_retr_time dns_search_full_match dns_servers_no dns_slow_query_ms
        dns_srv_lb/dns_srv_loadbalancing dns_try_ipv6 dns_try_naptr dns_use_search_list
        dst_blocklist_expire/dst_blocklist_ttl dst_blocklist_gc_interval dst_blocklist_init dst_blocklist_mem
        dst_blocklist_sctp_imask dst_blocklist_tcp_imask dst_blocklist_tls_imask dst_blocklist_udp_imask enable_sctp
        enable_tls/tls_enable exit_timeout/ser_kill_timeout fork fork_delay http_reply_hack/http_reply_parse
        latency_limit_action latency_limit_cfg latency_limit_db local_rport log_color log_prefix_mode log_stderror
        max_branches max_recursive_level max_while_loops maxbuffer maxsndbuffer mcast_loopback mcast_ttl mhomed
        mlock_pages modinit_delay msg_apply_changes_mode msg_clone_extra_size msg_recv_max_size msg_time
        onsend_route_reply open_files_limit phone2tel pmtu_discovery port pv_buffer_size pv_buffer_slots
        pv_cache_action pv_cache_limit real_time reply_to_via return_mode rev_dns/dns_rev_via route_locks_size
        rpc_exec_delta rt_policy rt_prio rt_timer1_policy/rt_ftimer_policy
        rt_timer1_prio/rt_fast_timer_prio/rt_ftimer_prio rt_timer2_policy/rt_stimer_policy
        rt_timer2_prio/rt_stimer_prio sctp_children server_id server_signature shm/shm_mem/shm_mem_size
        shm_force_alloc sip_warning socket_workers sql_buffer_size tcp_accept_aliases tcp_accept_haproxy
        tcp_accept_hep3 tcp_accept_iplimit tcp_accept_no_cl tcp_accept_unique tcp_buf_write/tcp_async tcp_check_timer
        tcp_children tcp_clone_rcvbuf tcp_close_rst tcp_conn_wq_max tcp_connection_match tcp_crlf_ping
        tcp_defer_accept tcp_delayed_ack tcp_fd_cache tcp_keepalive tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_linger2
        tcp_listen_backlog tcp_main_threads tcp_max_connections tcp_msg_data_timeout tcp_msg_read_timeout
        tcp_no_connect tcp_rd_buf_size tcp_reuse_port tcp_syncnt tcp_wq_blk_size tcp_wq_max
        tls_connection_match_domain tls_handshake_timeout tls_max_connections tls_require_certificate tls_send_timeout
        tls_threads_mode tls_verify tlslog/tls_log/tls_port_no udp4_raw_mtu udp4_raw_ttl udp_mtu udp_receiver_mode
        use_dns_cache/dns_use_cache use_dns_failover/dns_use_failover use_dst_blocklist verbose_startup
        wait_worker1_mode wait_worker1_time wait_worker1_usleep
    """,
    "P_INTEGER": """
        corelog/core_log debug dns_sctp_pref/dns_sctp_preference dns_tcp_pref/dns_tcp_preference
        dns_tls_pref/dns_tls_preference dns_udp_pref/dns_udp_preference ip_free_bind/ipfreebind/ip_nonlocal_bind
        latency_cfg_log latency_log mem_add_size mem_join mem_safety mem_status_mode mem_summary memdbg/mem_dbg
        memlog/mem_log received_route_mode sip_parser_log sip_parser_log_oneline sip_parser_mode tcp_connect_timeout
        tcp_connection_lifetime tcp_script_mode tcp_send_timeout tcp_wait_data udp4_raw
    """,
    "P_STRING": """
        async_tkv_evcb async_tkv_gname async_workers_group hdr_name_extra_chars ipv6_hex_style log_engine_data
        log_engine_type log_name log_prefix server_header stats_name_separator tls_ca_list tls_certificate
        tls_private_key uri_host_extra_chars user_agent_header version_table xavp_via_fields xavp_via_params
        xavp_via_reply_params
    """,
    "P_WORD": "log_facility",
    "P_STRING_WORD": "chroot group/gid mcast rundir/run_dir tcp_poll_method user/uid workdir/wdir",
    "P_NUMBER_WORD": "tos",
    "P_NUMBER_STRING": "tcp_accept_protocols/tcp_accept_protos",
    "P_IPV4": "tcp_source_ipv4",
    "P_IPV6": "tcp_source_ipv6",
    "P_HOST": "advertised_address",
    "P_TLS_METHOD": "tls_method",
    "UDP_MTU_TRY_PROTO": "udp_mtu_try_proto",  # a command, too
    "FORCE_RPORT": "force_rport/add_rport",  # a command, too
    "COREPARAM": "coreparam",
    "ALIAS": "alias domain",
    "LISTEN": "listen",
    "SOCKET": "socket",
    "KEMI": "kemi",
}

# Commands that the grammar knows itself, by the form of their arguments.
COMMANDS = {
    "FORWARD": "forward",
    "FORWARD_TO": "forward_udp forward_tcp forward_tls forward_sctp",
    "LOG": "log",
    "ERROR": "error",
    "C_FLAG": "setflag resetflag isflagset",
    "C_AVPFLAG": "setavpflag resetavpflag isavpflagset",
    "C_STRING": """
        cfg_reset exec prefix rewritehost/sethost/seth rewritehostport/sethostport/sethp
        rewritehostporttrans/sethostporttrans/sethpt rewriteport/setport/setp rewriteuri/seturi
        rewriteuser/setuser/setu rewriteuserpass/setuserpass/setup
    """,
    "C_NUMBER": "set_advertised_port strip strip_tail",
    "C_NONE": "clear_branches userphone",
    "C_PLAIN": """
        add_local_rport revert_uri set_forward_close set_forward_no_connect set_reply_close set_reply_no_connect
    """,
    "REMOVE_BRANCH": "remove_branch",
    "FORCE_TCP_ALIAS": "force_tcp_alias/add_tcp_alias",
    "SET_ADVERTISED_ADDRESS": "set_advertised_address",
    "FORCE_SEND_SOCKET": "force_send_socket",
    "CFG_SELECT": "cfg_select",
}

# Old-style operands. `uri:host`, `uri:port` and `msg:len` are words with a colon: the scanner knows them.
TESTS = {
    "T_METHOD": "method",
    "T_URI": "uri/status from_uri to_uri",
    "T_NUMBER": "src_port dst_port snd_port to_port af snd_af/to_af msg:len",
    "T_PROTO": "proto snd_proto/to_proto",
    "T_IP": "src_ip dst_ip snd_ip to_ip",
    "MYSELF": "myself",
}

OTHERS = {
    "ROUTE": "route",
    "REQUEST_ROUTE": "request_route",
    "FAILURE_ROUTE": "failure_route",
    "ONREPLY_ROUTE": "onreply_route",
    "REPLY_ROUTE": "reply_route",
    "BRANCH_ROUTE": "branch_route",
    "ONSEND_ROUTE": "onsend_route",
    "EVENT_ROUTE": "event_route",
    "LOADMODULE": "loadmodule loadmodulex",
    "LOADPATH": "loadpath/mpath",
    "MODPARAM": "modparam",
    "MODPARAMX": "modparamx",
    "CFGENGINE": "cfgengine",
    "FLAGS": "flags/bool",
    "AVPFLAGS": "avpflags",
    "DESCRIPTION": "description/descr/desc",
    "KEMI_CALLBACK": """
        request_route_callback reply_route_callback onsend_route_callback event_route_callback
        received_route_callback pre_routing_callback
    """,
    "NAME": "name/NAME",
    "ADVERTISE": "advertise/ADVERTISE",
    "VIRTUAL": "virtual",
    "BIND": "bind",
    "AGNAME": "agname/AGNAME",
    "VRF": "vrf/VRF",
    "PROTOCOL": "udp/UDP tcp/TCP tls/TLS sctp/SCTP",
    "WEBSOCKET": "ws/WS wss/WSS",
    "TLS_VERSION": "sslv23/SSLv23/SSLV23 sslv2/SSLv2/SSLV2 sslv3/SSLv3/SSLV3 tlsv1/TLSv1/TLSV1",
    "NUMBER": """
        yes true on enable no false off disable inet INET ipv4 IPv4 IPV4 inet6 INET6 ipv6 IPv6 IPV6
    """,
    "IF": "if",
    "ELSE": "else",
    "WHILE": "while",
    "SWITCH": "switch",
    "CASE": "case",
    "DEFAULT": "default",
    "LEAVE": "return exit drop",
    "BREAK": "break",
    "OR": "or",
    "AND": "and",
    "NOT": "not",
    "MOD": "mod",
    "EQUALS": "eq ne",
    "INTEGER_EQUALS": "ieq ine",
    "DEFINED": "defined",
    "LENGTH": "strlen strempty",
    "SELVAL": "selval",
    "URI_HOST": "uri:host",
    "URI_PORT": "uri:port",
    "INCLUDE": "include_file import_file",  # directives that need no `#!`
    "RESERVED": "max_len statistics",  # in no rule
}

# What words stand for as numbers: AF_INET and AF_INET6 are those of Linux.
NUMBER_WORDS = {
    **dict.fromkeys(("yes", "true", "on", "enable"), 1),
    **dict.fromkeys(("no", "false", "off", "disable"), 0),
    **dict.fromkeys(("inet", "INET", "ipv4", "IPv4", "IPV4"), 2),
    **dict.fromkeys(("inet6", "INET6", "ipv6", "IPv6", "IPV6"), 10),
}

_DIRECTIVES = """
    define def trydefine trydef redefine redef defexp defexps undefine undef tryundefine tryundef ifdef ifndef ifexp
    else endif subst substdef substdefs defenv defenvs trydefenv trydefenvs include_file import_file
"""
DIRECTIVE_WORDS = frozenset(_DIRECTIVES.split())

TERMINALS: dict[str, str] = {}  # word -> terminal
CANONICAL: dict[str, str] = {}  # word -> canonical spelling, only where that is another one


def _fill() -> None:
    for table in (PARAMETERS, COMMANDS, TESTS, OTHERS):
        for terminal, words in table.items():
            for entry in words.split():
                first, *others = entry.split("/")
                TERMINALS[first] = terminal
                for other in others:
                    TERMINALS[other] = terminal
                    CANONICAL[other] = first


_fill()
