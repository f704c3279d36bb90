"""Sentences to learn from, and one more of each kind to validate with (`envs.tasks.instructions`).

One sentence a line. `{colour}` and `{side}` stand for those of the task, `{clock}` for the sense of
a rotation.
"""

TRAINING = {
    "rotate": """
        rotate the {colour} block to the {side}
        turn the {colour} block {side}wards
        grasp the {colour} block, then rotate it {side}
        spin the {colour} cube round to the {side}
        take hold of the {colour} block and turn it {clock}
        rotate the {colour} cube {clock}
        please turn that {colour} block to the {side}
        give the {colour} block a quarter turn to the {side}
        hold the {colour} block and spin it {side}
        the {colour} block should be rotated to the {side}
        turn the {colour} one {clock} on the spot
        grip the {colour} cube and rotate it toward the {side}
    """,
    "push": """
        push the {colour} block to the {side}
        slide the {colour} block {side}wards over the table
        move the {colour} cube a bit to the {side}
        please push that {colour} block {side}
        use the gripper to push the {colour} block toward the {side} side
        give the {colour} cube a push to the {side}
        slide the {colour} one {side}
        shift the {colour} block to the {side} along the desk
        push {side} against the {colour} block
        make the {colour} block slide {side}
        the {colour} block should lie further {side}, push it there
        move the {colour} block {side} without lifting it
    """,
    "slider": """
        slide the door to the {side}
        push the cabinet door {side}wards
        move the sliding door to the {side} end
        grab the handle of the sliding door and move it {side}
        drag the sliding panel over to the {side}
        please slide the panel {side}
        the sliding door belongs on the {side}, move it there
        push the handle of the cabinet to the {side}
        make the door slide {side}
        take the door by its handle and slide it {side}
        move the cabinet panel all the way {side}
        push the panel in front of the shelf to the {side}
    """,
    "open_drawer": """
        open the drawer
        pull the drawer out of the desk
        please open the desk drawer
        hook the handle and pull the drawer open
        get the drawer open
        I need the drawer to be open
        reach for the drawer handle and pull
        open the drawer under the table top
        the drawer is closed, pull it open
        let me look inside the drawer, open it
        pull on the drawer until it is open
        grasp the bar on the drawer and open it
    """,
    "close_drawer": """
        close the drawer
        push the drawer back into the desk
        please shut the desk drawer
        push against the front of the drawer until it is closed
        get the drawer closed
        I need the drawer to be shut
        reach for the drawer handle and push it in
        shut the drawer under the table top
        the drawer is open, push it shut
        we are done with the drawer, close it
        push the drawer in as far as it goes
        close the drawer that sticks out of the desk
    """,
    "lift_table": """
        lift the {colour} block off the table
        pick up the {colour} block from the table
        grab the {colour} block that lies on the desk and lift it
        take the {colour} cube from the table top
        please pick the {colour} block up from the desk
        grasp the {colour} block on the table, then lift it up
        lift up the {colour} cube lying on the desk
        pick the {colour} one off the table
        close the gripper on the {colour} block and lift it from the table
        from the table, pick up the {colour} cube
        grab the {colour} cube on the desk and take it up
        the {colour} block is on the table, pick it up
    """,
    "lift_slider": """
        lift the {colour} block out of the cabinet
        pick up the {colour} block from the shelf
        grab the {colour} block behind the sliding door
        take the {colour} cube out of the sliding cabinet
        please pick the {colour} block up from inside the cabinet
        grasp the {colour} block on the shelf, then lift it up
        lift up the {colour} cube lying in the cabinet
        pick the {colour} one off the shelf
        close the gripper on the {colour} block in the cabinet and lift it
        from the shelf, pick up the {colour} cube
        reach into the sliding cabinet and grab the {colour} block
        the {colour} block is in the cabinet, take it out
    """,
    "lift_drawer": """
        lift the {colour} block out of the drawer
        pick up the {colour} block from the drawer
        grab the {colour} block that lies in the drawer
        take the {colour} cube out of the open drawer
        please pick the {colour} block up from inside the drawer
        grasp the {colour} block in the drawer, then lift it up
        lift up the {colour} cube lying in the drawer
        pick the {colour} one out of the drawer
        close the gripper on the {colour} block in the drawer and lift it
        from the drawer, pick up the {colour} cube
        reach into the drawer and grab the {colour} block
        the {colour} block is in the drawer, take it out
    """,
    "place_in_slider": """
        put the block into the cabinet
        place the block that you hold on the shelf
        store the block behind the sliding door
        put what you are holding in the sliding cabinet
        please place the block inside the cabinet
        place the grasped cube in the sliding cabinet
        put the block down on the shelf
        move to the cabinet and put the block in
        the block in the gripper belongs in the cabinet, put it there
        place it in the compartment behind the door
        store the cube on the shelf of the cabinet
        open the gripper over the shelf to place the block
    """,
    "place_in_drawer": """
        put the block into the drawer
        place the block that you hold in the drawer
        store the block inside the desk drawer
        put what you are holding in the drawer
        please place the block in the open drawer
        place the grasped cube in the drawer
        put the block down on the bottom of the drawer
        move over the drawer and put the block in
        the block in the gripper belongs in the drawer, put it there
        place it in the drawer under the table
        store the cube in the drawer
        open the gripper over the drawer to place the block
    """,
    "stack_block": """
        stack the block on another one
        put the block that you hold on top of another block
        place the grasped block on top of a second one
        stack the two blocks
        please stack the blocks on each other
        place your block onto the block on the table
        put one cube on top of the other
        stack what you are holding on another cube
        place the cube so that it lies on a block
        make a stack with the block in the gripper
        put the block onto one of the other blocks
        stack the cube in your hand on a block
    """,
    "unstack_block": """
        unstack the blocks
        take the top block off the other one
        remove the block on top
        take the stack apart
        please unstack the two cubes
        remove the upper cube from the lower one
        the blocks are stacked, take one down
        take the upper block from the stack
        unstack the block that lies on another one
        remove the top of the stack
        take down the block that lies on the other block
        no more stack please, remove the block on top of it
    """,
    "turn_on_lightbulb": """
        turn on the light bulb
        switch on the yellow lamp
        use the switch so that the bulb lights up
        turn the bulb on with the switch
        push the switch up to turn on the lamp
        please switch the light bulb on
        the lamp is off, turn it on
        move the switch upward until the bulb is on
        slide up the switch to get light from the lamp
        turn on the yellow light
        move up the light switch for the bulb
        lamp on, please
    """,
    "turn_off_lightbulb": """
        turn off the light bulb
        switch off the yellow lamp
        use the switch so that the bulb goes dark
        turn the bulb off with the switch
        push the switch down to turn off the lamp
        please switch the light bulb off
        the lamp is on, turn it off
        move the switch downward until the bulb is off
        slide down the switch to get no more light from the lamp
        turn off the yellow light
        move down the light switch for the bulb
        lamp off, please
    """,
    "turn_on_led": """
        turn on the LED
        press the button so that the LED lights up
        switch on the green light
        push the button to turn on the green LED
        turn the diode on with the button
        please switch the LED on
        the green light is off, press the button to turn it on
        push down the button until the LED is on
        press the button for green light
        turn on the green diode
        go to the button and push it to switch the LED on
        LED on, please
    """,
    "turn_off_led": """
        turn off the LED
        press the button so that the LED goes dark
        switch off the green light
        push the button to turn off the green LED
        turn the diode off with the button
        please switch the LED off
        the green light is on, press the button to turn it off
        push down the button until the LED is off
        press the button to end the green light
        turn off the green diode
        go to the button and push it to switch the LED off
        LED off, please
    """,
    "push_into_drawer": """
        push the block into the drawer
        slide the block over the edge into the drawer
        push the block off the table so that it falls into the drawer
        slide the cube along the table into the open drawer
        please push the cube into the drawer
        knock the block off the desk into the drawer
        push a block from the table down into the drawer
        slide the block to the front until it lands in the drawer
        the block on the table goes into the drawer, push it in
        knock the cube over the edge so that the drawer catches it
        without lifting it, push the block into the drawer
        push the block toward you until it drops into the drawer
    """,
}

VALIDATION = {
    "rotate": "take hold of the {colour} cube and rotate it to the {side}",
    "push": "push the {colour} cube over to the {side}",
    "slider": "slide the cabinet door to its {side} end",
    "open_drawer": "take the handle of the drawer and pull it open",
    "close_drawer": "push on the drawer handle to close the drawer",
    "lift_table": "grab the {colour} cube and lift it off the table",
    "lift_slider": "take the {colour} block from the shelf of the sliding cabinet",
    "lift_drawer": "grab the {colour} cube and lift it out of the drawer",
    "place_in_slider": "put the block that you hold into the sliding cabinet",
    "place_in_drawer": "put the cube that you hold into the drawer",
    "stack_block": "stack the block that you hold on top of another",
    "unstack_block": "take the block on top off the stack",
    "turn_on_lightbulb": "move the switch to turn on the yellow bulb",
    "turn_off_lightbulb": "move the switch to turn off the yellow bulb",
    "turn_on_led": "push the button so that the green LED is on",
    "turn_off_led": "push the button so that the green LED is off",
    "push_into_drawer": "slide the block until it falls into the drawer",
}
