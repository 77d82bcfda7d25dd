#!/usr/bin/env escript
%%! +S 1:1
%% One scheduler: a node of vista computes on one core too, and with two the processes of these
%% small messages wander between the cores, which makes every row but "call" slower.
%%
%% The same work in Erlang, for one column of the table: escript local.escript SCENARIO COUNT
%% prints the nanoseconds one operation takes. Every result is checked, as in the Python rows.
-module(local).
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

-define(CROWD, 1000).

main([Scenario, Text]) ->
    Count = list_to_integer(Text),
    {Microseconds, Operations} = measure(Scenario, Count),
    io:format("~.3f~n", [1000 * Microseconds / Operations]);
main(_) ->
    io:format(standard_error, "usage: local.escript call|flight|spawn|create COUNT~n", []),
    halt(2).

%% gen_server:call of one server that adds a number.
measure("call", Count) ->
    {ok, Server} = gen_server:start(?MODULE, 0, []),
    {Time, ok} = timer:tc(fun() -> calls(Server, Count) end),
    Count = gen_server:call(Server, {add, 0}),
    {Time, Count};
%% Requests to a thousand servers at a time, until all of them have answered.
measure("flight", Count) ->
    Servers = servers(?CROWD, fun(_) -> 0 end),
    {Time, Answers} = timer:tc(fun() -> flights(Servers, Count, []) end),
    Answers = lists:duplicate(?CROWD, Count),
    {Time, Count * ?CROWD};
%% Processes started and ended, a thousand at a time; each adds one and ends.
measure("spawn", Count) ->
    Sum = counters:new(1, []),
    {Time, ok} = timer:tc(fun() -> spawns(Sum, Count, 0) end),
    Total = Count * ?CROWD,
    Total = counters:get(Sum, 1),
    {Time, Total};
%% Servers created, each with one number as its state.
measure("create", Count) ->
    {Time, Servers} = timer:tc(fun() -> servers(Count, fun(Number) -> Number end) end),
    Count = length(Servers),
    Count = gen_server:call(hd(Servers), {add, 0}),
    {Time, Count}.

calls(_, 0) -> ok;
calls(Server, Left) ->
    gen_server:call(Server, {add, 1}),
    calls(Server, Left - 1).

flights(_, 0, Answers) -> Answers;
flights(Servers, Left, _) ->
    Requests = [gen_server:send_request(Server, {add, 1}) || Server <- Servers],
    Answers = [answer(gen_server:receive_response(Request, 60000)) || Request <- Requests],
    flights(Servers, Left - 1, Answers).

answer({reply, Value}) -> Value.

spawns(_, 0, _) -> ok;
spawns(Sum, Left, Done) ->
    start(Sum, ?CROWD),
    await(Sum, Done + ?CROWD),
    spawns(Sum, Left - 1, Done + ?CROWD).

%% The last process of a thousand says that it has run; a few on other schedulers may still be busy.
start(Sum, 1) ->
    Self = self(),
    spawn(fun() -> counters:add(Sum, 1, 1), Self ! ran end),
    receive ran -> ok end;
start(Sum, Left) ->
    spawn(fun() -> counters:add(Sum, 1, 1) end),
    start(Sum, Left - 1).

await(Sum, Expected) ->
    case counters:get(Sum, 1) of
        Expected -> ok;
        _ -> erlang:yield(), await(Sum, Expected)
    end.

%% Count servers, of which number N starts with Start(N). The last one is the first of the list.
servers(Count, Start) -> servers(Count, Start, 1, []).

servers(Count, _, Number, Servers) when Number > Count -> Servers;
servers(Count, Start, Number, Servers) ->
    {ok, Server} = gen_server:start(?MODULE, Start(Number), []),
    servers(Count, Start, Number + 1, [Server | Servers]).

init(Start) -> {ok, Start}.

handle_call({add, By}, _From, Value) -> {reply, Value + By, Value + By}.

handle_cast(_, Value) -> {noreply, Value}.
