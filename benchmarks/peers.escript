#!/usr/bin/env escript
%%! +S 1:1
%% Two Erlang nodes, for one column of the table. Which node it is stands in ERL_FLAGS, as
%% erlang.py sets them: escript peers.escript serve waits for calls, and
%% escript peers.escript SCENARIO COUNT NODE prints the nanoseconds one operation takes.
-module(peers).
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

-define(CALLERS, 200).
-define(LARGE, 1048576).

main(["serve"]) ->
    {ok, _} = gen_server:start({local, counter}, ?MODULE, 0, []),
    io:format("~s~n", [node()]),
    %% The other side closes the input when it has done.
    io:get_line(""),
    ok;
main([Scenario, Text, Name]) ->
    Count = list_to_integer(Text),
    Node = list_to_atom(Name),
    true = net_kernel:connect_node(Node),
    Server = {counter, Node},
    _ = gen_server:call(Server, reset),
    {Microseconds, Operations} = measure(Scenario, Server, Count),
    io:format("~.3f~n", [1000 * Microseconds / Operations]);
main(_) ->
    io:format(standard_error, "usage: peers.escript serve|call|flight|cast|large ...~n", []),
    halt(2).

measure("call", Server, Count) ->
    {Time, ok} = timer:tc(fun() -> calls(Server, Count) end),
    Count = gen_server:call(Server, {add, 0}),
    {Time, Count};
%% Calls from many processes; each has one in flight.
measure("flight", Server, Count) ->
    Self = self(),
    {Time, ok} = timer:tc(fun() ->
        [spawn(fun() -> calls(Server, Count), Self ! done end) || _ <- lists:seq(1, ?CALLERS)],
        [receive done -> ok end || _ <- lists:seq(1, ?CALLERS)],
        ok
    end),
    Total = Count * ?CALLERS,
    Total = gen_server:call(Server, {add, 0}, infinity),
    {Time, Total};
measure("cast", Server, Count) ->
    {Time, Count} = timer:tc(fun() ->
        casts(Server, Count),
        gen_server:call(Server, {add, 0}, infinity)
    end),
    {Time, Count};
measure("large", Server, Count) ->
    Data = binary:copy(<<"x">>, ?LARGE),
    {Time, ok} = timer:tc(fun() -> larges(Server, Data, Count) end),
    {Time, Count}.

calls(_, 0) -> ok;
calls(Server, Left) ->
    gen_server:call(Server, {add, 1}, infinity),
    calls(Server, Left - 1).

casts(_, 0) -> ok;
casts(Server, Left) ->
    gen_server:cast(Server, {add, 1}),
    casts(Server, Left - 1).

larges(_, _, 0) -> ok;
larges(Server, Data, Left) ->
    ?LARGE = gen_server:call(Server, {size, Data}, infinity),
    larges(Server, Data, Left - 1).

init(Start) -> {ok, Start}.

handle_call(reset, _From, _) -> {reply, 0, 0};
handle_call({size, Data}, _From, Value) -> {reply, byte_size(Data), Value};
handle_call({add, By}, _From, Value) -> {reply, Value + By, Value + By}.

handle_cast({add, By}, Value) -> {noreply, Value + By}.
